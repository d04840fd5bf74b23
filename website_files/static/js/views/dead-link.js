/** Stands in the place of a conversation that is not there, or not for this person. */

import { t } from "../core/words.js";
import { button, h } from "./shared/dom.js";

export class DeadLink {
  #element;
  #startAnew;
  #isShown = false;

  /** @param {HTMLElement} element a live region @param {() => void} startAnew */
  constructor(element, startAnew) {
    this.#element = element;
    this.#startAnew = startAnew;
  }

  /** @param hasAccounts whether conversations belong to somebody */
  update(isShown, hasAccounts) {
    if (isShown === this.#isShown) return;
    this.#isShown = isShown;
    this.#element.replaceChildren(...(isShown ? this.#words(hasAccounts) : []));
  }

  #words(hasAccounts) {
    const why = hasAccounts
      ? t`It was deleted, the link is incomplete, or nobody has shared it with you.`
      : t`It was deleted, or the link is incomplete.`;
    return [
      h("h2", {}, t`This conversation is not here`),
      h("p", {}, why),
      button("solid-button", this.#startAnew, t`Start a new conversation`),
    ];
  }
}
