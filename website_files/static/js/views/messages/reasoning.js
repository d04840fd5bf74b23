/** A model's reasoning before its answer: open while it streams, then collapsed to one line. */

import { h, icon, openWhileLive, setText } from "../shared/dom.js";
import { Prose } from "../prose/prose.js";

export class Reasoning {
  #label = h("span", {});
  #prose = new Prose();
  #text = "";
  #isLive = false;
  element = h(
    "details",
    { class: "disclosure disclosure-inline reasoning", ontoggle: () => this.#fill() },
    h("summary", {}, icon("thought"), this.#label, icon("chevron")),
    this.#prose.element,
  );
  #setLive = openWhileLive(this.element);

  /** @param {import("../../core/session/session-state.js").Answer} item */
  update({ text, state }) {
    const isLive = state === "streaming";
    this.#isLive = isLive;
    this.#text = text;
    this.element.dataset.state = state;
    setText(this.#label, isLive ? "Thinking…" : "Thought");
    this.#setLive(isLive);
    this.#fill();
  }

  #fill() {
    if (this.element.open) this.#prose.update(this.#text, !this.#isLive);
  }
}
