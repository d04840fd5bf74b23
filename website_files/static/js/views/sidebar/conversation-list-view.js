/** The server's conversations: a search field, the list, and more of it. */

import { setText } from "../shared/dom.js";
import { EntryMenu } from "./conversation-menu.js";
import { KeyedList } from "../shared/keyed-list.js";
import { PastEntry } from "./past-entry.js";

const PAUSE = 200; // ms without a key until the search begins

export class PastList {
  #search;
  #list;
  #note;
  #more;
  #timer = null;
  #shown = []; // the arguments of the last update

  /** @param {{open(id: string): void, rename(id: string, title: string): Promise, delete(id: string): Promise,
   *   search(query: string): void, more(): void}} intents */
  constructor(element, intents) {
    const menu = new EntryMenu();
    element.append(menu.element);
    this.#search = element.querySelector(".search");
    this.#note = element.querySelector(".history-note");
    this.#more = element.querySelector(".history-more");
    this.#list = new KeyedList(element.querySelector(".history"), () => new PastEntry(menu, intents));
    this.#search.addEventListener("input", () => this.#wait(() => intents.search(this.#search.value)));
    this.#search.addEventListener("keydown", (event) => event.key === "Escape" && this.#clear(event, intents));
    this.#more.addEventListener("click", intents.more);
  }

  /**
   * Nothing to do while a long answer comes in and the list stays as it is.
   * @param {import("../../app/conversation-list.js").Past} past
   */
  update(past, current, minute = Math.floor(Date.now() / 60_000)) {
    const now = [past.entries, past.status, past.query, current, minute];
    if (now.every((part, index) => part === this.#shown[index])) return;
    this.#shown = now;
    const { entries, query, status, next } = past;
    this.#list.update(entries.map((entry) => ({ ...entry, key: entry.id, query, isCurrent: entry.id === current })));
    this.#more.hidden = !next;
    setText(this.#note, entries.length ? "" : noteOf(status, query));
  }

  /** Escape empties the field before it does anything else. */
  #clear(event, intents) {
    if (!this.#search.value) return;
    event.stopPropagation();
    this.#search.value = "";
    this.#wait(() => intents.search(""));
  }

  #wait(run) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, PAUSE);
  }
}

function noteOf(status, query) {
  if (status === "loading") return "";
  if (status === "failed") return "The list of conversations is not there at the moment.";
  return query ? `Nothing found for “${query}”` : "Conversations will be listed here.";
}
