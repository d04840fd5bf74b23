/** Says that a conversation was deleted, for as long as it can be brought back. */

import { t } from "../../core/words.js";
import { button, h } from "../shared/dom.js";

export class DeletedLine {
  #element;
  #undo;
  #shown = null;

  /** @param {HTMLElement} element a live region @param {() => void} undo
   * @param {(isHeld: boolean) => void} hold is called when the focus or the pointer comes and goes: time stands still */
  constructor(element, undo, hold) {
    this.#element = element;
    this.#undo = undo;
    for (const type of ["focusin", "pointerenter"]) element.addEventListener(type, () => hold(true));
    for (const type of ["focusout", "pointerleave"]) element.addEventListener(type, () => hold(false));
  }

  /** @param {import("../../app/deletion.js").Deletion["current"]} deleted */
  update(deleted) {
    if (deleted === this.#shown) return;
    this.#shown = deleted;
    this.#element.hidden = !deleted;
    if (!deleted) return this.#element.replaceChildren();
    const words = deleted.isRunning
      ? t`“${deleted.title}” was deleted. What its agents are doing will be stopped.`
      : t`“${deleted.title}” was deleted.`;
    this.#element.replaceChildren(h("p", { dir: "auto" }, words), button("quiet-button", this.#undo, t`Undo`));
  }
}
