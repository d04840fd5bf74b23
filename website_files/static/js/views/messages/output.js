/** What a program prints: open and at its end while the turn runs, afterwards a line with the number of lines. */

import { lineCount, printed } from "../../core/output.js";
import { t, tn } from "../../core/words.js";
import { h, icon, openWhileLive, setText } from "../shared/dom.js";

const TOUCHING = 4; // pixels from the end that count as the end

/** The output of a turn, apart from that of its tools. */
export class TurnOutput {
  #output = new Output("disclosure-inline turn-output");
  element = this.#output.element;

  /** @param {{tool: string, output: import("../../core/output.js").Output}} item */
  update({ tool, output }) {
    this.#output.update(output, tool ? t`Output of ${tool}` : t`Output`);
  }
}

export class Output {
  #title = h("span", {}, t`Output`);
  #count = h("span", { class: "output-count" });
  #cut = h("p", { class: "output-cut", hidden: true }, t`Earlier output is not kept.`);
  #text = h("pre", { class: "code-box output-text", tabindex: 0, "aria-label": t`Output`, onscroll: () => this.#scrolled() });
  #isFollowing = true;
  #output = null;
  element;
  #setLive;

  constructor(kind) {
    this.element = h(
      "details",
      { class: `disclosure output ${kind}`, ontoggle: () => this.#fill() },
      h("summary", {}, icon("terminal"), this.#title, this.#count, icon("chevron")),
      this.#cut,
      this.#text,
    );
    this.#setLive = openWhileLive(this.element);
  }

  /** @param {import("../../core/output.js").Output} output */
  update(output, title = t`Output`) {
    if (output === this.#output) return;
    const lines = lineCount(output);
    this.#output = output;
    setText(this.#title, title);
    setText(this.#count, tn(lines, "{n} line", "{n} lines"));
    this.#cut.hidden = !output.isCut;
    this.#setLive(!output.isOver);
    this.#fill();
  }

  #fill() {
    if (!this.element.open) return;
    setText(this.#text, printed(this.#output));
    if (this.#isFollowing) this.#text.scrollTop = this.#text.scrollHeight;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#text;
    this.#isFollowing = scrollHeight - scrollTop - clientHeight < TOUCHING;
  }
}
