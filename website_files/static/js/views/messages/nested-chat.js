/** A nested chat: what agents say to each other before one of them answers. Open while it goes on. */

import { withSpeakers } from "../../core/turn-presentation.js";
import { h, icon, setText } from "../shared/dom.js";
import { displayName } from "../../core/format.js";
import { KeyedList } from "../shared/keyed-list.js";
import { Unfolding } from "../shared/unfolding.js";

export class InnerTalk {
  #title = h("span", { class: "inner-title" });
  #others = h("span", { class: "inner-others" });
  #items = h("div", { class: "turn-items" });
  #list;
  element = h(
    "details",
    { class: "inner-talk" },
    h("summary", {}, icon("talk"), this.#title, this.#others, icon("chevron")),
    this.#items,
  );
  #unfolding = new Unfolding(this.element);

  /** @param {(item: object) => object} view makes the view of an item */
  constructor(view) {
    this.#list = new KeyedList(this.#items, view);
  }

  update({ of, items, isLive = false }) {
    setText(this.#title, `${displayName(of)}’s inner conversation`);
    setText(this.#others, others(of, items));
    this.#list.update(withSpeakers(items));
    this.#unfolding.update(isLive);
  }
}

/** `with Critic and Editor` */
function others(holder, items) {
  const names = new Set(items.flatMap(({ sender, from, to }) => [sender, from, to]).filter(Boolean));
  names.delete(holder);
  const list = new Intl.ListFormat("en").format(Array.from(names, displayName));
  return list && `with ${list}`;
}

/** Who turns to whom: the start of one chat of several. */
export class TalkLine {
  #words = h("p", { class: "talk-line" });
  element = this.#words;

  update({ from, to }) {
    setText(this.#words, `${displayName(from)} → ${displayName(to)}`);
  }
}
