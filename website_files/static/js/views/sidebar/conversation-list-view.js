/** The list of conversations: search field, groups of entries and "More" button. */

import { grouped, likeness, nextMidnight } from "../../core/conversation-groups.js";
import { keyAction } from "../../core/keys.js";
import { t } from "../../core/words.js";
import { h, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";
import { ConversationMenu } from "./conversation-menu.js";
import { ConversationRow } from "./conversation-row.js";

const PAUSE = 200; // ms after the last key press before searching

export class ConversationListView {
  #search;
  #element;
  #groups;
  #note;
  #more;
  #timer = null;
  #midnight = null; // a timer
  #shown = []; // the arguments of the last update
  #create;
  #rows = new Map(); // by id; a row that changes its group stays the same
  #order = []; // the ids of the rows
  #stop = null; // id of the row at which the Tab key stops
  #wanted = null; // id of a row to focus once it is there
  #intents;

  /** @param {{open(id: string, seq?: number): void, rename(id: string, title: string): Promise, pin(entry: object): void,
   *   delete(entry: object): void, undo(): string|null, share(id: string): void, leave(id: string): Promise,
   *   search(query: string): void, more(): void, all(): Promise}} intents */
  constructor(element, intents) {
    const menu = new ConversationMenu();
    element.append(menu.element);
    this.#intents = intents;
    this.#search = element.querySelector(".search");
    this.#note = element.querySelector(".conversation-list-note");
    this.#more = element.querySelector(".conversation-list-more");
    this.#element = element.querySelector(".conversation-list");
    this.#groups = new KeyedList(this.#element, () => new GroupView());
    this.#create = () => new ConversationRow(menu, { ...intents, delete: (entry) => this.#delete(entry) });
    this.#element.addEventListener("keydown", (event) => this.#pressed(event));
    this.#element.addEventListener("focusin", ({ target }) => this.#setStop(this.#idOf(target)));
    this.#search.addEventListener("input", () => this.#wait(() => intents.search(this.#search.value)));
    this.#search.addEventListener("keydown", (event) => this.#pressedInSearch(event, intents));
    this.#more.addEventListener("click", intents.more);
  }

  /**
   * Draws the list, unless nothing has changed since the last time.
   * @param {import("../../app/conversation-list.js").ConversationList} conversations
   * @param {import("../../app/conversation-list.js").Entry[]} pinned
   */
  update(conversations, pinned, current, minute = Math.floor(Date.now() / 60_000)) {
    const { entries, query, status, problem, next } = conversations;
    const now = [entries, status, problem, query, current, minute, ...pinned];
    if (now.length === this.#shown.length && now.every((part, index) => part === this.#shown[index])) return;
    this.#shown = now;
    this.#draw(entries, pinned, query, current);
    this.#more.hidden = !next;
    setText(this.#note, this.#order.length && !problem ? "" : problem || noteOf(status, query));
    clearTimeout(this.#midnight);
    const again = () => this.update(conversations, pinned, current);
    this.#midnight = setTimeout(again, nextMidnight(Date.now()) - Date.now());
  }

  /** Focuses a conversation's row, as soon as it is there. */
  focus(id) {
    const row = this.#rows.get(id);
    row?.focus();
    this.#wanted = row ? null : id;
  }

  // Internal

  #draw(entries, pinned, query, current) {
    const focused = document.activeElement;
    const isInside = this.#element.contains(focused);
    const alike = likeness([...new Set([...pinned, ...entries])]);
    const isPinned = new Set(pinned.map(({ id }) => id));
    const groups = grouped(entries, query ? [] : pinned, Date.now());
    this.#order = groups.flatMap((group) => group.entries.map(({ id }) => id));
    this.#removeOthers(new Set(this.#order));
    this.#groups.update(groups);
    for (const { key, entries: own } of groups) {
      const rows = own.map((entry) => this.#row({
        ...entry, query, isCurrent: entry.id === current, isPinned: isPinned.has(entry.id), alike: alike(entry),
      }));
      place(this.#groups.view(key).list, rows);
    }
    this.#setStop(this.#rows.has(this.#stop) ? this.#stop : this.#rows.has(current) ? current : this.#order[0]);
    if (this.#rows.has(this.#wanted)) this.focus(this.#wanted);
    else if (isInside && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }

  #row(entry) {
    if (!this.#rows.has(entry.id)) this.#rows.set(entry.id, this.#create());
    const row = this.#rows.get(entry.id);
    row.update(entry);
    return row;
  }

  #removeOthers(ids) {
    for (const [id, { element }] of this.#rows) {
      if (ids.has(id)) continue;
      element.remove();
      this.#rows.delete(id);
    }
  }

  #setStop(id) {
    if (this.#stop !== id && this.#rows.has(this.#stop)) this.#rows.get(this.#stop).isStop = false;
    this.#stop = id ?? null;
    if (this.#rows.has(id)) this.#rows.get(id).isStop = true;
  }

  #idOf(target) {
    const element = target.closest("li");
    return this.#order.find((id) => this.#rows.get(id).element === element);
  }

  #pressed(event) {
    const row = this.#rows.get(this.#idOf(event.target));
    if (!row || event.target.closest("form, .inline-confirm")) return;
    const isShifted = event.shiftKey && event.key === "F10";
    const action = isShifted ? "conversation menu" : keyAction(event, ["list"]);
    const act = {
      go: () => this.#go(event.key, row.id),
      "conversation menu": () => row.openMenu(),
      rename: () => row.rename(),
      pin: () => (row.pin(), this.focus(row.id)),
      delete: () => row.end(),
      undo: () => this.focus(this.#intents.undo()),
    }[action];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Moves the focus; the end of the list is where the last conversation is, loaded or not. */
  async #go(key, id) {
    const at = this.#order.indexOf(id);
    const isLast = at === this.#order.length - 1;
    if (!this.#more.hidden && (key === "End" || (key === "ArrowDown" && isLast))) {
      const focused = document.activeElement;
      await (key === "End" ? this.#intents.all() : this.#intents.more());
      await new Promise(requestAnimationFrame); // it is drawn once a frame
      if (focused !== document.activeElement) return;
    }
    const last = this.#order.length - 1;
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: last }[key];
    this.focus(this.#order[Math.min(Math.max(to, 0), last)]);
  }

  /** The focus goes to the next row. */
  #delete(entry) {
    const at = this.#order.indexOf(entry.id);
    const next = this.#order[at + 1] ?? this.#order[at - 1];
    this.#intents.delete(entry);
    if (next) this.focus(next);
    else this.#search.focus();
  }

  /** Arrow down leads to what was found; Escape first clears the field. */
  #pressedInSearch(event, intents) {
    if (event.key === "ArrowDown" && this.#order.length) {
      event.preventDefault();
      this.focus(this.#order[0]);
    }
    if (event.key !== "Escape" || !this.#search.value) return;
    event.stopPropagation();
    this.#search.value = "";
    this.#wait(() => intents.search(""));
  }

  #wait(run) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, PAUSE);
  }
}

/** A heading and the rows below it. */
class GroupView {
  #title = h("h2", { class: "conversation-group-title" });
  list = h("ul", {});
  element = h("section", { class: "conversation-group" }, this.#title, this.list);

  update({ key, title }) {
    this.#title.id = `conversations-${key}`;
    this.list.setAttribute("aria-labelledby", this.#title.id);
    setText(this.#title, title);
  }
}

/** Puts rows into a list, and leaves alone those that are in their place. */
function place(list, rows) {
  let next = list.firstElementChild;
  for (const { element } of rows) {
    if (element === next) next = next.nextElementSibling;
    else list.insertBefore(element, next);
  }
}

function noteOf(status, query) {
  if (status === "loading") return "";
  if (status === "failed") return t`The list of conversations is not there at the moment.`;
  return query ? t`Nothing found for “${query}”` : t`Conversations will be listed here.`;
}
