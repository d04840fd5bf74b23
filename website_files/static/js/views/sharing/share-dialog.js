/** The dialog about who may see a conversation: its owner invites people and puts them out, and members leave it. */

import { t } from "../../core/words.js";
import { button, h, iconButton, setText } from "../shared/dom.js";
import { InlineConfirm } from "../shared/inline-form.js";
import { KeyedList } from "../shared/keyed-list.js";
import { InvitationForm } from "./invitation-form.js";
import { isOwner, ownMembership, rights, sharedBy } from "./rights.js";
import { LinkRow, PersonRow } from "./rows.js";

/** @typedef {import("../../transport/sharing-api.js").Sharing} Sharing */

export class ShareDialog {
  #intents;
  #id = null; // of the session
  #sharing = null;
  #title = h("h2", { id: "share-title" });
  #about = h("p", { class: "share-about" });
  #form;
  #people = h("ul", { class: "share-list", "aria-label": t`People` });
  #peopleList;
  #linksTitle = h("h3", {}, t`Links`);
  #links = h("ul", { class: "share-list", "aria-label": t`Links` });
  #linkList;
  #foot = h("div", { class: "share-foot" });
  #leave = button("outline-button", () => this.#askToLeave(), t`Leave this conversation`);
  #problem = h("p", { class: "field-problem", role: "alert" });

  /**
   * @param {{fetch(id: string): Promise<Sharing>, invite(id: string, role: string, hours: number): Promise<{link: string}>,
   *   revoke(id: string, invitation: string): Promise, putOut(id: string, member: string): Promise,
   *   leave(id: string, you: string): Promise}} intents
   */
  constructor(intents) {
    this.#intents = intents;
    this.#form = new InvitationForm((role, hours) => this.#invite(role, hours));
    this.#peopleList = new KeyedList(this.#people, () => new PersonRow((member) => this.#putOut(member)));
    this.#linkList = new KeyedList(this.#links, () => new LinkRow((invitation) => this.#revoke(invitation)));
    const close = iconButton("", t`Close`, "cross", () => this.element.close());
    this.element = h(
      "dialog",
      { class: "share-dialog", "aria-labelledby": "share-title", onclick: (event) => this.#clicked(event) },
      h(
        "div",
        { class: "share-content thin-scrollbar" },
        h("header", {}, this.#title, close),
        this.#problem, this.#about, this.#form.element,
        h("h3", {}, t`People`), this.#people,
        this.#linksTitle, this.#links, this.#foot,
      ),
    );
  }

  /** @param {string} id of the session */
  async open(id) {
    this.#id = id;
    this.#form.reset();
    this.element.dataset.state = "loading";
    setText(this.#title, t`Share`);
    this.element.showModal();
    await this.#refresh();
  }

  /** Somebody has come or gone in that session. */
  changed(id) {
    if (this.element.open && id === this.#id) this.#refresh();
  }

  close() {
    this.element.close();
  }

  // Internal

  async #refresh() {
    const id = this.#id;
    try {
      const sharing = await this.#intents.fetch(id);
      if (id === this.#id) this.#show(sharing);
    } catch (error) {
      setText(this.#problem, error.message);
    }
  }

  /** @param {Sharing} sharing */
  #show(sharing) {
    this.#sharing = sharing;
    const isOwn = isOwner(sharing);
    const own = ownMembership(sharing);
    setText(this.#problem, "");
    setText(this.#title, isOwn ? t`Share this conversation` : t`Who sees this conversation`);
    setText(this.#about, isOwn ? t`Others see it only if you give them a link.` : own ? sharedBy(sharing.owner, own) : "");
    const owner = { ...sharing.owner, key: sharing.owner.id, rights: t`Owner` };
    const members = sharing.members.map((each) => ({ ...each, key: each.id, rights: rights(each), canPutOut: isOwn }));
    this.#peopleList.update([owner, ...members].map((each) => ({ ...each, isMe: each.id === sharing.you })));
    this.#linkList.update(sharing.invitations.map((each) => ({ ...each, key: each.id, rights: rights(each) })));
    this.#form.element.hidden = !isOwn;
    this.#linksTitle.hidden = sharing.invitations.length === 0;
    this.#foot.replaceChildren(...(own ? [this.#leave] : []));
    this.element.dataset.state = "ready";
  }

  async #invite(role, hours) {
    const made = await this.#intents.invite(this.#id, role, hours);
    await this.#refresh();
    return made.link;
  }

  async #putOut(member) {
    await this.#intents.putOut(this.#id, member).catch(unlessGone("member_unknown"));
    await this.#refresh();
  }

  async #revoke(invitation) {
    await this.#intents.revoke(this.#id, invitation).catch(unlessGone("invitation_unknown"));
    await this.#refresh();
  }

  #askToLeave() {
    const question = new InlineConfirm({
      words: t`Leave this conversation? You come back only by a new invitation.`,
      yes: t`Leave`,
      no: t`Stay`,
      act: async () => {
        await this.#intents.leave(this.#id, this.#sharing.you);
        this.close();
      },
      cancel: () => (this.#foot.replaceChildren(this.#leave), this.#leave.focus()),
    });
    this.#foot.replaceChildren(question.element);
    question.focus();
  }

  /** A click beside the dialog closes it. */
  #clicked({ target }) {
    if (target === this.element) this.close();
  }
}

/** Returns what to do with an error: nothing if somebody else was faster. */
function unlessGone(code) {
  return (error) => {
    if (error.code !== code) throw error;
  };
}
