/** What a model thought before it spoke: open while it thinks, then a quiet line that can be opened. */

import { h, icon, setText } from "../shared/dom.js";
import { Prose } from "./prose.js";
import { Unfolding } from "../shared/unfolding.js";

export class Thought {
  #label = h("span", {});
  #prose = new Prose();
  #text = "";
  element = h(
    "details",
    { class: "thought", ontoggle: () => this.#fill() },
    h("summary", {}, icon("thought"), this.#label, icon("chevron")),
    this.#prose.element,
  );
  #unfolding = new Unfolding(this.element);

  /** @param {import("../../core/session-state.js").Answer} item */
  update({ text, state }) {
    const isLive = state === "streaming";
    this.#text = text;
    this.element.dataset.state = state;
    setText(this.#label, isLive ? "Thinking…" : "Thought");
    this.#unfolding.update(isLive);
    this.#fill();
  }

  #fill() {
    if (this.element.open) this.#prose.update(this.#text);
  }
}
