/** A row for tool calls whose effect is shown elsewhere, which opens to the calls. */

import { effectOf } from "../../core/session/folded-steps.js";
import { tn } from "../../core/words.js";
import { h, icon, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";

export class FoldedSteps {
  #words = h("span", { class: "one-line" });
  #calls = h("div", { class: "folded-calls" });
  #list;
  #items = [];
  element = h(
    "details",
    { class: "disclosure disclosure-inline folded-steps", ontoggle: () => this.#fill() },
    h("summary", {}, icon("tool"), this.#words, icon("chevron")),
    this.#calls,
  );

  /** @param {(item: object) => object} view creates the view of a call */
  constructor(view) {
    this.#list = new KeyedList(this.#calls, view);
  }

  /** @param {import("../../core/session/folded-steps.js").FoldedSteps} block */
  update({ items }) {
    this.#items = items;
    setText(this.#words, summary(items));
    this.#fill();
  }

  #fill() {
    if (this.element.open) this.#list.update(this.#items);
  }
}

function summary(items) {
  const ofPlan = items.filter((item) => effectOf(item).plan).length;
  const ofFiles = items.length - ofPlan;
  return [
    ofPlan && tn(ofPlan, "{n} step on the plan", "{n} steps on the plan"),
    ofFiles && tn(ofFiles, "{n} step on files", "{n} steps on files"),
  ].filter(Boolean).join(" · ");
}
