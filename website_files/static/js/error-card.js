/** What went wrong, in words. */

import { h, icon, setText } from "./dom.js";

export class ErrorCard {
  #message = h("p", { dir: "auto" });

  /** @param {((key: string) => void)|null} dismiss for errors that belong to no turn */
  constructor({ key, code }, dismiss = null) {
    const close = { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: () => dismiss(key) };
    this.element = h(
      "div",
      { class: "error-card", "data-code": code },
      icon("alert"),
      h("div", {}, this.#message, h("p", { class: "error-code" }, code)),
      dismiss && h("button", close, icon("cross")),
    );
  }

  update({ message }) {
    setText(this.#message, message || "Something went wrong.");
  }
}
