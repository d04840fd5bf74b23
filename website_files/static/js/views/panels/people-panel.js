/** The person's own name, the participants, and invitation links. */

import { isMe, isViewer, personName } from "../../core/participants.js";
import { invitationLink } from "../../transport/page-address.js";
import { CopyButton } from "../shared/copy-button.js";
import { createAvatar, h, paintAvatar, setText } from "../shared/dom.js";
import { InlineForm } from "../shared/inline-form.js";
import { KeyedList } from "../shared/keyed-list.js";

const NAME_CHARS = 100;
const ROLES = { viewer: "reads only", operator: "operator" };

export class PeoplePanel {
  #count;
  #panel;
  #form;
  #list;
  #links;
  #id = null; // of the session
  #name = ""; // the person's name on this device
  #shown = []; // the arguments of the last update

  /** @param {(name: string) => void} callMe */
  constructor(opener, panel, callMe) {
    this.#panel = panel;
    this.#count = opener.querySelector(".people-count");
    this.#form = new InlineForm({
      label: "Your name",
      placeholder: "Your name",
      limit: NAME_CHARS,
      done: (name) => callMe(name.trim()),
    });
    panel.querySelector(".own-name").append(this.#form.element);
    this.#list = new KeyedList(panel.querySelector(".participants"), () => new Participant());
    this.#links = panel.querySelector(".invitations");
    for (const [role, words] of [["member", "Copy invitation link"], ["viewer", "Copy link for reading only"]]) {
      this.#links.append(new CopyButton(() => invitationLink(this.#id, role), words, words).element);
    }
    panel.addEventListener("beforetoggle", () => (this.#form.value = this.#name));
  }

  /** @param {import("../../core/session-state.js").State|undefined} state */
  update(state, name) {
    const now = [state?.participants, state?.sessionId, state?.name, state?.role, name];
    if (now.every((part, index) => part === this.#shown[index]) && this.#shown.length) return;
    this.#shown = now;
    this.#name = name;
    this.#id = state?.sessionId ?? null;
    const people = state?.participants ?? [];
    this.#list.update(people.map((each) => ({ ...each, key: `${each.role} ${each.name}`, isMe: isMe(state, each) })));
    setText(this.#count, people.length > 1 ? String(people.length) : "");
    this.#links.hidden = !this.#id || isViewer(state);
    this.#panel.querySelector(".participants-title").hidden = people.length === 0;
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
    const about = [isMe && "you", ROLES[role], connections > 1 && `${connections} windows`];
    setText(this.#about, about.filter(Boolean).join(" · "));
    this.element.dataset.role = role;
  }
}
