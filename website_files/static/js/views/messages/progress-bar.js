/** How far a tool has got: a bar, and what it says about it. */

import { h, setAttribute, setText } from "../shared/dom.js";
import { count } from "../../core/usage.js";

export class ProgressBar {
  #bar = h("progress", { "aria-label": "Progress" });
  #text = h("span", { class: "progress-text" });
  #part = h("span", { class: "progress-part" });
  element = h("span", { class: "tool-progress", hidden: true }, this.#bar, this.#text, this.#part);

  /** @param {import("../../core/progress.js").Progress|null} progress */
  update(progress) {
    this.element.hidden = !progress;
    if (!progress) return;
    const { done, total, text } = progress;
    setAttribute(this.#bar, "max", total);
    setAttribute(this.#bar, "value", total === null ? null : Math.min(done, total));
    setText(this.#text, text);
    setText(this.#part, total === null ? (done ? count(done) : "") : `${Math.floor((100 * Math.min(done, total)) / total)} %`);
  }
}
