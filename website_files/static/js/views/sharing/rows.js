/** The rows of the dialog about who may see a conversation: people, and links. */

import { t } from "../../core/words.js";
import { button, createAvatar, h, paintAvatar, setText } from "../shared/dom.js";
import { InlineConfirm } from "../shared/inline-form.js";
import { userName } from "./rights.js";

/** Base of rows with a button that asks before it acts. */
class Row {
  #words;
  #button;
  element = h("li", {});

  constructor(words, removal) {
    this.#words = words;
    this.#button = removal;
    this.element.append(...words, removal);
  }

  ask(words, yes, act) {
    const restore = () => this.element.replaceChildren(...this.#words, this.#button);
    const question = new InlineConfirm({ words, yes, act, cancel: () => (restore(), this.#button.focus()) });
    this.element.replaceChildren(question.element);
    question.focus();
  }
}

export class PersonRow extends Row {
  #person;
  #avatar;
  #name;
  #rights;
  #button;

  /** @param {(member: string) => Promise} putOut */
  constructor(putOut) {
    const avatar = createAvatar();
    const name = h("span", { class: "share-name one-line", dir: "auto" });
    const about = h("span", { class: "share-rights" });
    const ask = () => this.ask(t`Put ${userName(this.#person)} out? None of the links so far lets them in again.`, t`Put out`, () => putOut(this.#person.id));
    const removal = button("text-button", ask, t`Put out`);
    super([avatar, h("span", { class: "share-words" }, name, about)], removal);
    [this.#avatar, this.#name, this.#rights, this.#button] = [avatar, name, about, removal];
  }

  update(person) {
    this.#person = person;
    paintAvatar(this.#avatar, userName(person), person.colour);
    setText(this.#name, person.isMe ? t`${userName(person)} (you)` : userName(person));
    setText(this.#rights, person.rights);
    this.#button.hidden = !person.canPutOut;
    this.#button.setAttribute("aria-label", t`Put ${userName(person)} out`);
  }
}

export class LinkRow extends Row {
  #id;
  #rights;

  /** @param {(invitation: string) => Promise} revoke */
  constructor(revoke) {
    const about = h("span", { class: "share-words" });
    const words = t`Revoke this link? Whoever came in by it is put out.`;
    const ask = () => this.ask(words, t`Revoke`, () => revoke(this.#id));
    super([about], button("text-button", ask, t`Revoke`));
    this.#rights = about;
  }

  update({ id, rights: words }) {
    this.#id = id;
    setText(this.#rights, words);
  }
}
