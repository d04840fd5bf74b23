/** Says that a conversation was deleted, for as long as it can be brought back. */

import { t } from "../../core/words.js";
import { button, h } from "../shared/dom.js";

export class DeletedLine {
  #element;
  #undo;
  #shown = null;

  /** @param {HTMLElement} element a live region @param {() => void} undo */
  constructor(element, undo) {
    this.#element = element;
    this.#undo = undo;
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
