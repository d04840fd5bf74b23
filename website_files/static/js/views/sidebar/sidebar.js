/** The sidebar with the list of conversations; a drawer on narrow screens. */

import { device } from "../../transport/storage.js";
import { onPlainClick, setAttribute } from "../shared/dom.js";

const NARROW = matchMedia("(max-width: 860px)");

export class Sidebar {
  #app;
  #element;
  #toggle;

  /** @param {() => void} create starts a new conversation */
  constructor(app, create) {
    this.#app = app;
    this.#element = app.querySelector(".sidebar");
    this.#toggle = app.querySelector(".sidebar-toggle");
    this.#toggle.addEventListener("click", () => this.toggle());
    app.querySelector(".sidebar-close").addEventListener("click", () => this.#show(false));
    app.querySelector(".sidebar-scrim").addEventListener("click", () => this.#show(false));
    app.querySelector(".brand").addEventListener("click", (event) => onPlainClick(event, create));
    app.querySelector(".new-conversation").addEventListener("click", (event) => onPlainClick(event, create));
    NARROW.addEventListener("change", () => this.#settle());
    this.#settle();
  }

  get isOpen() {
    return this.#app.dataset.sidebar === "open";
  }

  get isDrawer() {
    return this.isOpen && NARROW.matches;
  }

  toggle() {
    this.#show(!this.isOpen);
  }

  /** Closes the drawer once something has been chosen in it. */
  closeDrawer() {
    if (this.isDrawer) this.#show(false);
  }

  // Internal

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
