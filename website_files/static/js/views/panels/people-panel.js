/** The participants of a conversation, and invitation links. */

import { isMe, isViewer, personName } from "../../core/session/participants.js";
import { t, tn } from "../../core/words.js";
import { invitationLink } from "../../transport/page-address.js";
import { CopyButton } from "../shared/copy-button.js";
import { button, createAvatar, h, paintAvatar, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";

export class PeoplePanel {
  #opener;
  #count;
  #list;
  #links;
  #share;
  #id = null; // of the session
  #shown = []; // the arguments of the last update

  /** @param {(id: string) => void} share shows who may see a conversation */
  constructor(opener, panel, share) {
    this.#opener = opener;
    this.#count = opener.querySelector(".people-count");
    this.#list = new KeyedList(panel.querySelector(".participants"), () => new Participant());
    this.#links = panel.querySelector(".invitations");
    for (const [role, words] of [["member", t`Copy invitation link`], ["viewer", t`Copy link for reading only`]]) {
      this.#links.append(new CopyButton(() => invitationLink(this.#id, role), words, words).element);
    }
    this.#share = button("outline-button share-button", () => (panel.hidePopover(), share(this.#id)), t`Share…`);
    this.#links.after(this.#share);
  }

  /**
   * @param {import("../../core/session/session-state.js").State|undefined} state
   * @param {boolean} isShared conversations belong to people, and are shared by invitations
   */
  update(state, isShared) {
    const now = [state?.participants, state?.sessionId, state?.name, state?.role, state?.isDeleted, isShared];
    if (now.every((part, index) => part === this.#shown[index]) && this.#shown.length) return;
    this.#shown = now;
    this.#id = state?.sessionId ?? null;
    const people = state?.participants ?? [];
    this.#list.update(people.map((each) => ({ ...each, key: `${each.role} ${each.name}`, isMe: isMe(state, each) })));
    setText(this.#count, people.length > 1 ? String(people.length) : "");
    this.#opener.hidden = !this.#id;
    this.#links.hidden = !this.#id || isViewer(state) || isShared;
    this.#share.hidden = !this.#id || state.isDeleted || !isShared;
  }
}

class Participant {
  #avatar = createAvatar();
  #name = h("span", { class: "participant-name one-line", dir: "auto" });
  #about = h("span", { class: "participant-about" });
  element = h("li", {}, this.#avatar, this.#name, this.#about);

  update({ name, role, connections, isMe }) {
    paintAvatar(this.#avatar, name);
    setText(this.#name, personName(name));
    const about = [isMe && t`you`, { viewer: t`reads only`, operator: t`operator` }[role], connections > 1 && tn(connections, "{n} window", "{n} windows")];
    setText(this.#about, about.filter(Boolean).join(" · "));
    this.element.dataset.role = role;
  }
}
