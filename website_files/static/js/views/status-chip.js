/** How the connection is, and what can be done about it. */

import { setText } from "./shared/dom.js";

const WORDS = {
  online: "Online",
  connecting: "Connecting…",
  offline: "Offline",
  refused: "Not connected",
  deleted: "Deleted",
};

export class StatusChip {
  #element;
  #label;
  #button;

  constructor(element, reconnect) {
    this.#element = element;
    this.#label = element.querySelector(".status-label");
    this.#button = element.querySelector("button");
    this.#button.addEventListener("click", reconnect);
  }

  /** @param {"online"|"connecting"|"offline"|"refused"|"deleted"} status */
  update(status) {
    this.#element.dataset.status = status;
    setText(this.#label, WORDS[status]);
    this.#button.hidden = status !== "offline" && status !== "refused";
  }
}
