/** A model's reasoning before its answer: one line, with the newest words while it streams, and the time it took. */

import { wholeSeconds } from "../../core/format.js";
import { lastWords } from "../../core/last-words.js";
import { t } from "../../core/words.js";
import { h, icon, setText } from "../shared/dom.js";
import { Prose } from "../prose/prose.js";

const SECOND = 1000;

export class Reasoning {
  #label = h("span", { class: "reasoning-label" });
  #newest = h("span", { class: "reasoning-newest one-line", dir: "auto", "aria-hidden": "true", hidden: true });
  #prose = new Prose();
  #text = "";
  #isLive = false;
  #since = null; // when it began to stream here
  #took = null; // ms, until the server says it
  element = h(
    "details",
    { class: "disclosure disclosure-inline reasoning", ontoggle: () => this.#fill() },
    h("summary", {}, icon("thought"), this.#label, this.#newest, icon("chevron")),
    this.#prose.element,
  );

  /** @param {import("../../core/session/session-state.js").Answer & {durationMs?: number|null}} item */
  update({ text, state, durationMs = null }) {
    const isLive = state === "streaming";
    if (isLive) this.#since ??= performance.now();
    else if (this.#isLive) this.#took = performance.now() - this.#since;
    this.#isLive = isLive;
    this.#text = text;
    this.element.dataset.state = state;
    setText(this.#label, isLive ? t`Thinking…` : thought(durationMs ?? this.#took));
    this.#fill();
  }

  #fill() {
    const { open } = this.element;
    const newest = this.#isLive && !open ? lastWords(this.#text) : "";
    setText(this.#newest, newest);
    this.#newest.hidden = !newest;
    if (open) this.#prose.update(this.#text, !this.#isLive);
  }
}

function thought(ms) {
  return ms >= SECOND ? t`Thought for ${wholeSeconds(ms)}` : t`Thought`;
}
