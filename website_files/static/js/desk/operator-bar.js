/** Bar to take over the open conversation, or hand it back to the agents. */

import { t } from "../core/words.js";
import { button, h, setText } from "../views/shared/dom.js";
import { InlineForm, noConnection } from "../views/shared/inline-form.js";

const NOTE_CHARS = 2000;

export class OperatorBar {
  #element;
  #title = h("p", { class: "operator-title", dir: "auto" });
  #reason = h("p", { class: "operator-reason", dir: "auto" });
  #take;
  #back = button("outline-button", () => this.#open(), t`Hand back`);
  #form = null; // while the note is being written
  #handBack;
  #person = "";

  /** @param {{take(): void, handBack(note: string): boolean}} intents `handBack` returns whether it was sent */
  constructor(element, { take, handBack }) {
    this.#element = element;
    this.#handBack = handBack;
    this.#take = button("solid-button", take, t`Take over`);
    element.append(h("div", { class: "operator-words" }, this.#title, this.#reason), this.#take, this.#back);
  }

  /** @param {{state: string, person: string, operator: string, reason: string, isOnline: boolean}} now */
  update({ state, person, operator, reason, isOnline }) {
    this.#person = person;
    const words = {
      waiting: t`${person} waits for a person.`,
      mine: t`You are talking with ${person}.`,
      other: t`${operator} is talking with ${person}.`,
      agents: t`The agents have this conversation.`,
      deleted: t`This conversation was deleted.`,
    };
    this.#element.hidden = !(state in words);
    this.#element.dataset.state = state;
    setText(this.#title, words[state] ?? "");
    setText(this.#reason, ["waiting", "mine", "other"].includes(state) ? reason : "");
    if (this.#form && state !== "mine") this.#close();
    this.#take.hidden = state !== "waiting" && state !== "agents";
    this.#take.className = state === "waiting" ? "solid-button" : "outline-button";
    this.#back.hidden = state !== "mine" || this.#form !== null;
    this.#take.disabled = this.#back.disabled = !isOnline;
  }

  focus() {
    this.#take.focus({ preventScroll: true });
  }

  #open() {
    this.#form = new InlineForm({
      kind: "words",
      label: t`A note for the agents`,
      placeholder: t`A note for the agents; ${this.#person} sees it, too`,
      save: t`Hand back`,
      limit: NOTE_CHARS,
      done: (note) => (this.#handBack(note.trim()) ? "" : noConnection()),
      cancel: () => (this.#close(), this.#back.focus()),
    });
    this.#element.append(this.#form.element);
    this.#back.hidden = true;
    this.#form.focus();
  }

  #close() {
    this.#form.element.remove();
    this.#form = null;
    this.#back.hidden = false;
  }
}
