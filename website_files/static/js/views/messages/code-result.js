/** The result of code that an agent has run: how it ended, and what it printed. */

import { codeOutcome } from "../../core/session/code-results.js";
import { t } from "../../core/words.js";
import { CopyButton } from "../shared/copy-button.js";
import { h, setText } from "../shared/dom.js";

export class CodeResult {
  #text = "";
  #state = h("span", { class: "tool-state" });
  #output = h("pre", { class: "code-box", tabindex: 0, "aria-label": t`Output of the code` });
  #copy = new CopyButton(() => this.#text, t`Copy output`).element;
  element = h("section", { class: "card code-result" }, h("header", {}, this.#state, this.#copy), this.#output);

  /** @param {import("../../core/session/session-state.js").CodeResult} item */
  update(item) {
    this.#text = item.text;
    this.element.dataset.state = item.exitCode === 0 ? "ok" : "failed";
    setText(this.#state, codeOutcome(item));
    setText(this.#output, item.text || t`It printed nothing`);
    this.#copy.hidden = !item.text;
  }
}
