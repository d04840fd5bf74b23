/** One conversation of the list: a link, a menu, and in its place for a moment a field or a question. */

import { ConfirmQuestion } from "../shared/confirm-question.js";
import { h, iconButton, setAttribute, setText } from "../shared/dom.js";
import { ago, displayName } from "../../core/format.js";
import { InlineForm } from "../shared/inline-form.js";
import { marked } from "../../core/marks.js";
import { addressOf } from "../../transport/rest-api.js";

const TITLE_CHARS = 200;
const STATES = { running: "at work", waiting: "waits for you" };

export class PastEntry {
  id = "";
  #title = h("span", { class: "entry-title", dir: "auto" });
  #about = h("span", { class: "entry-about" });
  #found = h("span", { class: "entry-found" });
  #link = h("a", { class: "entry" }, this.#title, this.#about, this.#found);
  #more = iconButton("entry-more", "More", "more");
  #intents;
  #shownTitle = "";
  element = h("li", {}, this.#link, this.#more);

  /**
   * @param {import("./conversation-menu.js").EntryMenu} menu
   * @param {{open(id: string): void, rename(id: string, title: string): Promise, delete(id: string): Promise}} intents
   */
  constructor(menu, intents) {
    this.#intents = intents;
    this.#link.addEventListener("click", (event) => follow(event, () => intents.open(this.id)));
    menu.attach(this.#more, this);
  }

  update({ id, title, agent, updated, status, found = [], query, isCurrent }) {
    this.id = id;
    this.#shownTitle = title || "Untitled";
    this.#title.replaceChildren(...marks(this.#shownTitle, query));
    const about = [displayName(agent), STATES[status] ?? ago(Date.parse(updated) || Date.now())];
    setText(this.#about, about.join(" · "));
    this.#about.dataset.activity = status;
    const places = found.filter(({ seq }) => seq > 0);
    const snippets = places.map(({ text }) => h("span", { class: "found", dir: "auto" }, ...marks(text, query)));
    this.#found.replaceChildren(...snippets);
    setAttribute(this.#link, "href", addressOf(id));
    setAttribute(this.#link, "aria-current", isCurrent ? "page" : null);
    setAttribute(this.#more, "aria-label", `More for “${this.#shownTitle}”`);
  }

  /** The title becomes a field. */
  rename() {
    const form = new InlineForm({
      label: "Title",
      value: this.#shownTitle,
      limit: TITLE_CHARS,
      done: (title) => this.#save(form, title.trim()),
      cancel: () => this.#restore(),
    });
    this.element.replaceChildren(form.element);
    form.focus();
  }

  askDelete() {
    const question = new ConfirmQuestion({
      words: `Delete “${this.#shownTitle}” for everybody?`,
      yes: "Delete",
      act: () => this.#intents.delete(this.id),
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

/** Text nodes and marks: what was said is never markup. */
function marks(text, query) {
  return marked(text, query).map((piece) => (piece.isFound ? h("mark", {}, piece.text) : piece.text));
}

/** A plain click stays on this page; one that asks for a new tab gets it. */
export function follow(event, act) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  act();
}
