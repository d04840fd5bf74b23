/** One conversation of the list: a link and a menu, replaced by a form while it is renamed or left. */

import { ago, dayAndTime, displayName, fullTime, highlight } from "../../core/format.js";
import { t } from "../../core/words.js";
import { chatAddress } from "../../transport/page-address.js";
import { h, iconButton, onPlainClick, setAttribute } from "../shared/dom.js";
import { InlineConfirm, InlineForm } from "../shared/inline-form.js";

const TITLE_CHARS = 200;
const SHORT = 30; // characters that are not cut
const STATES = { running: () => t`at work`, waiting: () => t`waits for you` };

export class ConversationRow {
  id = "";
  role = undefined; // the person's; undefined where conversations are everybody's
  isPinned = false;
  #title = h("span", { class: "conversation-title one-line", dir: "auto" });
  #about = h("span", { class: "conversation-about one-line" });
  #matches = h("span", { class: "conversation-matches" });
  #link = h("a", { class: "list-row conversation", tabindex: -1 }, this.#title, this.#about, this.#matches);
  #more = iconButton("row-action conversation-more", t`More`, "more");
  #intents;
  #entry = null;
  element = h("li", {}, this.#link, this.#more);

  /**
   * @param {import("./conversation-menu.js").ConversationMenu} menu
   * @param {{open(id: string, seq?: number): void, rename(id: string, title: string): Promise, pin(entry: object): void,
   *   delete(entry: object): void, share(id: string): void, leave(id: string): Promise}} intents
   */
  constructor(menu, intents) {
    this.#intents = intents;
    this.#more.tabIndex = -1; // the list has one Tab stop; see conversation-list-view.js
    this.#link.addEventListener("click", (event) => onPlainClick(event, () => this.#open(event.target)));
    menu.attach(this.#more, this);
  }

  get isOwn() {
    return this.role === undefined || this.role === "owner";
  }

  /** Words for the conversation: its title, or its agent and when it began. */
  get name() {
    const { title, agent, created } = this.#entry;
    return title || `${displayName(agent)}, ${dayAndTime(created)}`;
  }

  /** @param entry with `alike`: how exactly to say when it began, as others have the same title */
  update(entry) {
    const { id, agent, created, updated, status, role, found = [], query, isCurrent, isUnread = false, alike, isPinned } = entry;
    this.id = id;
    this.role = role;
    this.isPinned = isPinned;
    this.#entry = entry;
    this.#title.replaceChildren(...withMarks(this.name, query));
    const when = alike ? dayAndTime(created, alike === "second" ? { second: "2-digit" } : {}) : ago(Date.parse(updated) || Date.now());
    const about = [displayName(agent), STATES[status] && !alike ? "" : when, STATES[status]?.()].filter(Boolean);
    if (!this.isOwn) about.push(t`shared with you`);
    this.#showAbout(about);
    this.#about.dataset.activity = status;
    this.#about.title = fullTime(updated);
    this.#matches.replaceChildren(...found.filter(({ seq }) => seq > 0).map((place) => snippet(place, query)));
    setAttribute(this.#link, "href", chatAddress(id));
    setAttribute(this.#link, "title", this.name.length > SHORT ? this.name : null);
    setAttribute(this.#link, "data-unread", isUnread && !isCurrent);
    setAttribute(this.#link, "aria-description", isUnread && !isCurrent ? t`Something new` : null);
    setAttribute(this.#link, "aria-current", isCurrent ? "page" : null);
    setAttribute(this.#more, "aria-label", t`More for “${this.name}”`);
  }

  /** Whether the Tab key stops here. */
  set isStop(isStop) {
    setAttribute(this.#link, "tabindex", isStop ? 0 : -1);
  }

  focus() {
    (this.#link.isConnected ? this.#link : this.element.querySelector("input, button")).focus();
  }

  openMenu() {
    this.#more.click();
  }

  pin() {
    this.#intents.pin(this.#entry);
  }

  /** Replaces the entry with a form for its title. */
  rename() {
    if (this.role === "viewer") return;
    const form = new InlineForm({
      label: t`Title`,
      className: "form-box",
      value: this.name,
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

  /** Deletes the conversation or, after a question, leaves it if it is somebody else's. */
  end() {
    const { id, status } = this.#entry;
    if (this.isOwn) return this.#intents.delete({ id, title: this.name, isRunning: status === "running" });
    const question = new InlineConfirm({
      words: t`Leave “${this.name}”? You come back only by a new invitation.`,
      yes: t`Leave`,
      no: t`Stay`,
      act: () => this.#intents.leave(id),
      cancel: () => this.#restore(),
    });
    this.element.replaceChildren(question.element);
    question.focus();
  }

  /** Each part keeps its own direction, such as a name in Latin letters before an Arabic date. */
  #showAbout(parts) {
    if (this.#about.textContent === parts.join(" · ")) return;
    this.#about.replaceChildren(...parts.flatMap((part, at) => [at ? " · " : "", h("bdi", {}, part)]));
  }

  /** A place of the words, if one was clicked, or the first one. */
  #open(clicked) {
    const place = clicked.closest?.("[data-seq]") ?? this.#matches.firstElementChild;
    this.#intents.open(this.id, Number(place?.dataset.seq) || 0);
  }

  #save(form, title) {
    if (!title) return t`A title has at least one letter.`;
    if (title === this.name) return this.#restore();
    this.#intents.rename(this.id, title).then(() => this.#restore(), (error) => form.explain(error.message));
    return "";
  }

  #restore() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.replaceChildren(this.#link, this.#more);
    if (hadFocus) this.#link.focus();
  }
}

function snippet({ seq, text }, query) {
  return h("span", { class: "conversation-match clamp", dir: "auto", "data-seq": seq }, ...withMarks(text, query));
}

/** Marks the words that match the query. */
function withMarks(text, query) {
  return highlight(text, query).map((piece) => (piece.isFound ? h("mark", {}, piece.text) : piece.text));
}
