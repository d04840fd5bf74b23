/** The list of past conversations, and the drawer it is in on a phone. */

import { h, icon, setAttribute, setText } from "./dom.js";
import { ago, displayName } from "./format.js";
import { KeyedList } from "./keyed-list.js";
import { device } from "./storage.js";

const NARROW = matchMedia("(max-width: 860px)");

export class Sidebar {
  #app;
  #element;
  #toggle;
  #list;
  #empty;
  #shown = []; // the arguments of the last update

  /** @param {{open(id: string): void, forget(id: string): void, create(): void}} intents */
  constructor(app, intents) {
    this.#app = app;
    this.#element = app.querySelector(".sidebar");
    this.#toggle = app.querySelector(".sidebar-toggle");
    this.#empty = app.querySelector(".history-empty");
    const forget = (id) => this.#forget(id, intents);
    this.#list = new KeyedList(app.querySelector(".history"), () => new Entry({ ...intents, forget }));
    this.#toggle.addEventListener("click", () => this.#show(!this.isOpen));
    app.querySelector(".sidebar-close").addEventListener("click", () => this.#show(false));
    app.querySelector(".scrim").addEventListener("click", () => this.#show(false));
    app.querySelector(".brand").addEventListener("click", (event) => follow(event, intents.create));
    app.querySelector(".new-conversation").addEventListener("click", (event) => follow(event, intents.create));
    NARROW.addEventListener("change", () => this.#settle());
    this.#settle();
  }

  get isOpen() {
    return this.#app.dataset.sidebar === "open";
  }

  get isDrawer() {
    return this.isOpen && NARROW.matches;
  }

  /** Nothing to do while a long answer comes in and the list stays as it is. */
  update(entries, current, minute = Math.floor(Date.now() / 60_000)) {
    const now = [entries, current, minute];
    if (now.every((part, index) => part === this.#shown[index])) return;
    this.#shown = now;
    this.#list.update(entries.map((entry) => ({ ...entry, key: entry.id, isCurrent: entry.id === current })));
    this.#empty.hidden = entries.length > 0;
  }

  /** A drawer has done its work when something was chosen in it. */
  closeDrawer() {
    if (this.isDrawer) this.#show(false);
  }

  // Internal

  /** The button that had the focus goes away with its entry. */
  #forget(id, { forget }) {
    forget(id);
    this.#app.querySelector(".new-conversation").focus();
  }

  #settle() {
    this.#set(!NARROW.matches && device.get("sidebar", true));
  }

  #show(isOpen) {
    this.#set(isOpen);
    if (!NARROW.matches) device.set("sidebar", isOpen);
    else if (isOpen) this.#element.querySelector(".sidebar-close").focus();
    else this.#toggle.focus();
  }

  #set(isOpen) {
    this.#app.dataset.sidebar = isOpen ? "open" : "closed";
    setAttribute(this.#toggle, "aria-expanded", isOpen);
    this.#app.querySelector(".stage").inert = this.isDrawer;
  }
}

class Entry {
  #id = "";
  #title = h("span", { class: "entry-title", dir: "auto" });
  #about = h("span", { class: "entry-about" });
  #link;
  #remove;

  constructor({ open, forget }) {
    const onclick = (event) => follow(event, () => open(this.#id));
    this.#link = h("a", { class: "entry", onclick }, this.#title, this.#about);
    this.#remove = h(
      "button",
      { type: "button", class: "icon-button entry-remove", onclick: () => forget(this.#id) },
      icon("cross"),
    );
    this.element = h("li", {}, this.#link, this.#remove);
  }

  update({ id, title, agent, at, isCurrent }) {
    this.#id = id;
    setText(this.#title, title || "Untitled");
    setText(this.#about, `${displayName(agent)} · ${ago(at)}`);
    setAttribute(this.#link, "href", `/?session=${encodeURIComponent(id)}`);
    setAttribute(this.#link, "aria-current", isCurrent ? "page" : null);
    setAttribute(this.#remove, "aria-label", `Remove “${title}” from this list`);
    setAttribute(this.#remove, "title", "Remove from this list");
  }
}

/** A plain click stays on this page; one that asks for a new tab gets it. */
function follow(event, act) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  act();
}
