/** How much of the agents' work is shown; kept on this device. */

import { LEVELS } from "../core/turn-presentation.js";
import { h } from "./shared/dom.js";
import { device } from "../transport/storage.js";

const WORDS = { final: "Final answers", agents: "Agents", tools: "Tools", all: "All events" };
const USUAL = "tools";
const KEPT = "show";

export class ShowSwitch {
  #select;

  /** @param {() => void} changed */
  constructor(element, changed) {
    this.#select = element.querySelector("select");
    this.#select.append(...LEVELS.map((level) => h("option", { value: level }, WORDS[level])));
    this.#select.value = this.level;
    this.#select.addEventListener("change", () => {
      device.set(KEPT, this.#select.value);
      changed();
    });
  }

  /** @returns {import("../core/turn-presentation.js").Level} */
  get level() {
    const kept = device.get(KEPT, USUAL);
    return LEVELS.includes(kept) ? kept : USUAL;
  }
}
