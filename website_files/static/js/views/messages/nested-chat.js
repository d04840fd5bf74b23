/** An inner chat: what agents say to each other before one of them, or a tool, answers. Open while it goes on. */

import { displayName } from "../../core/format.js";
import { withSpeakers } from "../../core/session/turn-presentation.js";
import { currentLanguage, t, tn } from "../../core/words.js";
import { h, icon, openWhileLive, setText } from "../shared/dom.js";
import { LatestItems } from "../shared/latest-items.js";

export class NestedChat {
  #title = h("span", { class: "nested-chat-title" });
  #others = h("span", { class: "nested-chat-others one-line" });
  #steps = h("span", { class: "nested-chat-steps" });
  #items;
  #chat = null;
  element;
  #setLive;

  /** @param {(item: object) => object} view creates the view of an item */
  constructor(view, kind = "disclosure-inline") {
    this.#items = new LatestItems(view, false);
    this.element = h(
      "details",
      { class: `disclosure nested-chat ${kind}`, ontoggle: () => this.#fill() },
      h("summary", {}, icon("talk"), this.#title, this.#others, this.#steps, icon("chevron")),
      this.#items.earlier,
      this.#items.element,
    );
    this.#setLive = openWhileLive(this.element);
  }

  /** @param {import("../../core/session/inner-chats.js").InnerChat} chat */
  update(chat) {
    const names = others(chat);
    this.#chat = chat;
    setText(this.#title, names.length ? t`Inner conversation` : t`Inner steps`);
    setText(this.#others, names.length ? t`with ${new Intl.ListFormat(currentLanguage()).format(names)}` : "");
    setText(this.#steps, tn(chat.steps, "{n} step", "{n} steps"));
    this.#setLive(chat.isLive);
    this.#fill();
  }

  /** Fills in the items only once they are open, as there may be hundreds. */
  #fill() {
    if (this.element.open && this.#chat) this.#items.update(withSpeakers(this.#chat.items));
  }
}

/** Names of the agents other than the one that holds the chat. */
function others({ of, items }) {
  const names = new Set(items.flatMap(({ sender, from, to }) => [sender, from, to]).filter(Boolean));
  names.delete(of);
  return Array.from(names, displayName);
}

/** Line at the start of each chat within a nested chat: who turns to whom. */
export class NestedChatStart {
  #words = h("p", { class: "nested-chat-start" });
  element = this.#words;

  update({ from, to }) {
    setText(this.#words, `${displayName(from)} → ${displayName(to)}`);
  }
}
