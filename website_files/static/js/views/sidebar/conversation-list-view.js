/** The list of conversations: search field, entries and "More" button. */

import { ago, displayName, highlight } from "../../core/format.js";
import { t } from "../../core/words.js";
import { chatAddress } from "../../transport/page-address.js";
import { h, iconButton, onPlainClick, setAttribute, setText } from "../shared/dom.js";
import { InlineConfirm, InlineForm } from "../shared/inline-form.js";
import { KeyedList } from "../shared/keyed-list.js";
import { ConversationMenu } from "./conversation-menu.js";

const TITLE_CHARS = 200;
const STATES = { running: "at work", waiting: "waits for you" };
const PAUSE = 200; // ms after the last key press before searching

export class ConversationListView {
  #search;
  #list;
  #note;
  #more;
  #timer = null;
  #shown = []; // the arguments of the last update

  /** @param {{open(id: string): void, rename(id: string, title: string): Promise, delete(id: string): Promise,
   *   share(id: string): void, leave(id: string): Promise, search(query: string): void, more(): void}} intents */
  constructor(element, intents) {
    const menu = new ConversationMenu();
    element.append(menu.element);
    this.#search = element.querySelector(".search");
    this.#note = element.querySelector(".conversation-list-note");
    this.#more = element.querySelector(".conversation-list-more");
    this.#list = new KeyedList(element.querySelector(".conversation-list"), () => new ConversationRow(menu, intents));
    this.#search.addEventListener("input", () => this.#wait(() => intents.search(this.#search.value)));
    this.#search.addEventListener("keydown", (event) => event.key === "Escape" && this.#clear(event, intents));
    this.#more.addEventListener("click", intents.more);
  }

  /**
   * Draws the list, unless nothing has changed since the last time.
   * @param {import("../../app/conversation-list.js").ConversationList} conversations
   */
  update(conversations, current, minute = Math.floor(Date.now() / 60_000)) {
    const { entries, query, status, problem, next } = conversations;
    const now = [entries, status, problem, query, current, minute];
    if (now.every((part, index) => part === this.#shown[index])) return;
    this.#shown = now;
    this.#list.update(entries.map((entry) => ({ ...entry, key: entry.id, query, isCurrent: entry.id === current })));
    this.#more.hidden = !next;
    setText(this.#note, entries.length && !problem ? "" : problem || noteOf(status, query));
  }

  /** Escape first clears the field. */
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

/** One entry: a link and a menu, replaced by a form while it is renamed or deleted. */
class ConversationRow {
  id = "";
  role = undefined; // the person's; undefined where conversations are everybody's
  #title = h("span", { class: "conversation-title one-line", dir: "auto" });
  #about = h("span", { class: "conversation-about one-line" });
  #matches = h("span", { class: "conversation-matches" });
  #link = h("a", { class: "list-row conversation" }, this.#title, this.#about, this.#matches);
  #more = iconButton("row-action conversation-more", "More", "more");
  #intents;
  #shownTitle = "";
  element = h("li", {}, this.#link, this.#more);

  /**
   * @param {import("./conversation-menu.js").ConversationMenu} menu
   * @param {{open(id: string): void, rename(id: string, title: string): Promise, delete(id: string): Promise,
   *   share(id: string): void, leave(id: string): Promise}} intents
   */
  constructor(menu, intents) {
    this.#intents = intents;
    this.#link.addEventListener("click", (event) => onPlainClick(event, () => intents.open(this.id)));
    menu.attach(this.#more, this);
  }

  get isOwn() {
    return this.role === undefined || this.role === "owner";
  }

  update({ id, title, agent, updated, status, role, found = [], query, isCurrent, isUnread = false }) {
    this.id = id;
    this.role = role;
    this.#shownTitle = title || "Untitled";
    this.#title.replaceChildren(...withMarks(this.#shownTitle, query));
    const about = [displayName(agent), STATES[status] ?? ago(Date.parse(updated) || Date.now())];
    if (!this.isOwn) about.push("shared with you");
    setText(this.#about, about.join(" · "));
    this.#about.dataset.activity = status;
    const snippet = ({ text }) => h("span", { class: "conversation-match clamp", dir: "auto" }, ...withMarks(text, query));
    this.#matches.replaceChildren(...found.filter(({ seq }) => seq > 0).map(snippet));
    setAttribute(this.#link, "href", chatAddress(id));
    setAttribute(this.#link, "data-unread", isUnread && !isCurrent);
    setAttribute(this.#link, "aria-description", isUnread && !isCurrent ? t`Something new` : null);
    setAttribute(this.#link, "aria-current", isCurrent ? "page" : null);
    setAttribute(this.#more, "aria-label", `More for “${this.#shownTitle}”`);
  }

  /** Replaces the entry with a form for its title. */
  rename() {
    const form = new InlineForm({
      label: "Title",
      className: "form-box",
      value: this.#shownTitle,
      limit: TITLE_CHARS,
      done: (title) => this.#save(form, title.trim()),
      cancel: () => this.#restore(),
    });
    this.element.replaceChildren(form.element);
    form.focus();
  }

  share() {
    this.#intents.share(this.id);
  }

  /** Asks before the conversation is deleted, or left if it is somebody else's. */
  askEnd() {
    const [words, yes, no] = this.isOwn
      ? [`Delete “${this.#shownTitle}” for everybody?`, "Delete", "Keep"]
      : [`Leave “${this.#shownTitle}”? You come back only by a new invitation.`, "Leave", "Stay"];
    const question = new InlineConfirm({
      words,
      yes,
      no,
      act: () => (this.isOwn ? this.#intents.delete(this.id) : this.#intents.leave(this.id)),
      cancel: () => this.#restore(),
    });
    this.element.replaceChildren(question.element);
    question.focus();
  }

  #save(form, title) {
    if (!title) return "A title has at least one letter.";
    if (title === this.#shownTitle) return this.#restore();
    this.#intents.rename(this.id, title).then(() => this.#restore(), (error) => form.explain(error.message));
    return "";
  }

  #restore() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.replaceChildren(this.#link, this.#more);
    if (hadFocus) this.#more.focus();
  }
}

/** Marks the words that match the query. */
function withMarks(text, query) {
  return highlight(text, query).map((piece) => (piece.isFound ? h("mark", {}, piece.text) : piece.text));
}
