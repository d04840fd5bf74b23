/** Says that a human has the conversation, or will have it, and how to get back to the agents. */

import { button, h, icon, setText } from "../shared/dom.js";
import { heldWords } from "../../core/handover.js";

export class HeldBanner {
  #element;
  #words = h("p", { class: "held-words", dir: "auto" });
  #back;

  /** @param {() => void} handBack */
  constructor(element, handBack) {
    this.#element = element;
    this.#back = button("outline-button held-back", handBack, "Back to the agents");
    element.append(icon("person"), this.#words, this.#back);
  }

  /** @param {import("../../core/handover.js").Held|null} held */
  update(held, canWrite, isOnline) {
    this.#element.hidden = !held;
    if (!held) return;
    this.#element.dataset.state = held.state;
    setText(this.#words, heldWords(held));
    this.#back.hidden = !canWrite || held.state !== "waiting";
    this.#back.disabled = !isOnline;
  }
}
