/** Banner shown while a person has the conversation, or has been asked for, with a way back to the agents. */

import { handoverWords } from "../../core/session/handover.js";
import { t } from "../../core/words.js";
import { button, h, icon, setText } from "../shared/dom.js";

export class HandoverBanner {
  #element;
  #words = h("p", { class: "handover-words", dir: "auto" });
  #back;

  /** @param {() => void} handBack */
  constructor(element, handBack) {
    this.#element = element;
    this.#back = button("outline-button handover-back", handBack, t`Back to the agents`);
    element.append(icon("person"), this.#words, this.#back);
  }

  /** @param {import("../../core/session/handover.js").Handover|null} handover */
  update(handover, canWrite, isOnline) {
    this.#element.hidden = !handover;
    if (!handover) return;
    this.#element.dataset.state = handover.state;
    setText(this.#words, handoverWords(handover));
    this.#back.hidden = !canWrite || handover.state !== "waiting";
    this.#back.disabled = !isOnline;
  }
}
