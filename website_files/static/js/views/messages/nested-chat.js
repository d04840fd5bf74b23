/** A nested chat: what agents say to each other before one of them answers. Open while it is running. */

import { displayName } from "../../core/format.js";
import { withSpeakers } from "../../core/turn-presentation.js";
import { h, icon, openWhileLive, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";

export class NestedChat {
  #title = h("span", { class: "nested-chat-title" });
  #others = h("span", { class: "nested-chat-others one-line" });
  #items = h("div", { class: "turn-items" });
  #list;
  element = h(
    "details",
    { class: "disclosure disclosure-inline nested-chat" },
    h("summary", {}, icon("talk"), this.#title, this.#others, icon("chevron")),
    this.#items,
  );
  #setLive = openWhileLive(this.element);

  /** @param {(item: object) => object} view creates the view of an item */
  constructor(view) {
    this.#list = new KeyedList(this.#items, view);
  }

  update({ of, items, isLive = false }) {
    setText(this.#title, `${displayName(of)}’s inner conversation`);
    setText(this.#others, others(of, items));
    this.#list.update(withSpeakers(items));
    this.#setLive(isLive);
  }
}

/** Names the other agents: `with Critic and Editor`. */
function others(holder, items) {
  const names = new Set(items.flatMap(({ sender, from, to }) => [sender, from, to]).filter(Boolean));
  names.delete(holder);
  const list = new Intl.ListFormat("en").format(Array.from(names, displayName));
  return list && `with ${list}`;
}

/** Line at the start of each chat within a nested chat: who turns to whom. */
export class NestedChatStart {
  #words = h("p", { class: "nested-chat-start" });
  element = this.#words;

  update({ from, to }) {
    setText(this.#words, `${displayName(from)} → ${displayName(to)}`);
  }
}
