/** What the conversation is called, in the bar and in the window; a click on it renames it. */

import { button, h, setText } from "./shared/dom.js";
import { displayName, shorten } from "../core/format.js";
import { InlineForm } from "./shared/inline-form.js";
import { isViewer } from "../core/participants.js";
import { firstText } from "../core/session-state.js";

const NAME = document.title;
const NEW = "New conversation";

export class TitleBar {
  #element;
  #words = h("span", { class: "title-words", dir: "auto" });
  #button = button("title-button", () => this.#open(), this.#words);
  #form = null;
  #id = null; // of the session that is shown
  #rename;

  /** @param {(id: string, title: string) => Promise} rename */
  constructor(element, rename) {
    this.#element = element;
    this.#rename = rename;
    this.#button.title = "Rename";
    element.replaceChildren(this.#button);
  }

  /** @param {import("../app/conversation.js").Conversation|null} conversation */
  update(conversation) {
    const state = conversation?.state;
    const title = (state && (state.title || shorten(firstText(state)) || displayName(conversation.agent))) || NEW;
    if (this.#form && this.#id !== state?.sessionId) this.#close();
    this.#id = state?.sessionId ?? null;
    setText(this.#words, title);
    this.#button.disabled = !this.#id || isViewer(state);
    setText(document.querySelector("title"), conversation ? `${title} · ${NAME}` : NAME);
  }

  #open() {
    this.#form = new InlineForm({
      label: "Title",
      value: this.#words.textContent,
      limit: 200,
      done: (title) => this.#save(title.trim()),
      cancel: () => this.#close(),
    });
    this.#element.replaceChildren(this.#form.element);
    this.#form.focus();
  }

  #save(title) {
    const form = this.#form;
    if (!title) return "A title has at least one letter.";
    const saved = () => form === this.#form && this.#close();
    this.#rename(this.#id, title).then(saved, (error) => form.explain(error.message));
    return "";
  }

  #close() {
    const hadFocus = this.#element.contains(document.activeElement);
    this.#form = null;
    this.#element.replaceChildren(this.#button);
    if (hadFocus) this.#button.focus();
  }
}
