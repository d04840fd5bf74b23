/** "Delete this?", in the place of what would be deleted. Nothing happens until somebody says yes. */

import { button, h, setText } from "./dom.js";

export class ConfirmQuestion {
  #problem = h("p", { class: "field-problem", role: "alert" });
  #keep;
  #act;

  /**
   * @param {{words: string, yes: string, act(): Promise, cancel(): void}} options `act` fails with the reason;
   *   after it, the question is to be taken away by whoever asked it
   */
  constructor({ words, yes, act, cancel }) {
    this.#act = button("solid-button danger-button", () => this.#do(act), yes);
    this.#keep = button("quiet-button", cancel, "Keep");
    const pressed = (event) => event.key === "Escape" && (event.stopPropagation(), cancel());
    this.element = h(
      "div",
      { class: "confirm-question", role: "group", "aria-label": words, onkeydown: pressed },
      h("p", {}, words),
      this.#problem,
      h("div", { class: "field-actions" }, this.#keep, this.#act),
    );
  }

  focus() {
    this.#keep.focus();
  }

  #do(act) {
    this.#act.disabled = true;
    act().catch((error) => {
      this.#act.disabled = false;
      setText(this.#problem, error.message);
    });
  }
}
