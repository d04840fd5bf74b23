/** An error message, with a way to start over if the conversation cannot continue. */

import { t } from "../../core/words.js";
import { button, h, icon, iconButton, setText } from "../shared/dom.js";

const ENDS = new Set(["session_full", "session_deleted"]);

export class ErrorCard {
  #message = h("p", { dir: "auto" });
  #words = h("p", { class: "error-words", dir: "auto" });

  /** @param {{startOver(): void, dismiss?(key: string): void}} intents `dismiss` is for errors that belong to no turn */
  constructor({ key, code }, { startOver, dismiss }) {
    const startButton = ENDS.has(code) ? button("solid-button", startOver, t`New conversation`) : null;
    this.element = h(
      "div",
      { class: "card card-error error-card", "data-code": code },
      icon("alert"),
      h("div", {}, this.#message, this.#words, details(code), startButton),
      dismiss && iconButton("", t`Dismiss`, "cross", () => dismiss(key)),
    );
  }

  update({ message, words = "" }) {
    setText(this.#message, message || t`Something went wrong.`);
    setText(this.#words, words && t`You wrote: ${words}`);
    this.#words.hidden = !words;
  }
}

/** The name that programs have for the error, which people need when they look for it. */
function details(code) {
  return h("details", { class: "error-details" }, h("summary", {}, t`Details`), h("code", {}, code));
}
