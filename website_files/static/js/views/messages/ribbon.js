/** A thin line across the conversation: it goes on with somebody else. */

import { h, icon, setText } from "../shared/dom.js";
import { handoffWords } from "../../core/handoff-words.js";

export class Ribbon {
  #words = h("span", { class: "ribbon-words" });
  element;

  /** @param {import("../../core/event-items.js").Handoff} item */
  constructor({ how }) {
    const mark = how === "agents" ? null : icon("person");
    this.element = h("p", { class: "ribbon", "data-kind": how, dir: "auto" }, h("span", {}, mark, this.#words));
  }

  update(item) {
    setText(this.#words, handoffWords(item));
  }
}
