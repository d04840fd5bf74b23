/** An error message, with a way to start over if the conversation cannot continue. */

import { button, h, icon, iconButton, setText } from "../shared/dom.js";

const ENDS = new Set(["session_full", "session_deleted"]);

export class ErrorCard {
  #message = h("p", { dir: "auto" });
  #words = h("p", { class: "error-words", dir: "auto" });

  /** @param {{startOver(): void, dismiss?(key: string): void}} intents `dismiss` is for errors that belong to no turn */
  constructor({ key, code }, { startOver, dismiss }) {
    const startButton = ENDS.has(code) ? button("solid-button", startOver, "New conversation") : null;
    this.element = h(
      "div",
      { class: "card card-error error-card", "data-code": code },
      icon("alert"),
      h("div", {}, this.#message, this.#words, h("p", { class: "error-code" }, code), startButton),
      dismiss && iconButton("", "Dismiss", "cross", () => dismiss(key)),
    );
  }

  update({ message, words = "" }) {
    setText(this.#message, message || "Something went wrong.");
    setText(this.#words, words && `You wrote: ${words}`);
    this.#words.hidden = !words;
  }
}
