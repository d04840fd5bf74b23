/** The column with past conversations; on a phone it is a drawer. */

import { setAttribute } from "../shared/dom.js";
import { follow } from "./past-entry.js";
import { device } from "../../transport/storage.js";

const NARROW = matchMedia("(max-width: 860px)");

export class Sidebar {
  #app;
  #element;
  #toggle;

  /** @param {() => void} create begins a new conversation */
  constructor(app, create) {
    this.#app = app;
    this.#element = app.querySelector(".sidebar");
    this.#toggle = app.querySelector(".sidebar-toggle");
    this.#toggle.addEventListener("click", () => this.#show(!this.isOpen));
    app.querySelector(".sidebar-close").addEventListener("click", () => this.#show(false));
    app.querySelector(".scrim").addEventListener("click", () => this.#show(false));
    app.querySelector(".brand").addEventListener("click", (event) => follow(event, create));
    app.querySelector(".new-conversation").addEventListener("click", (event) => follow(event, create));
    NARROW.addEventListener("change", () => this.#settle());
    this.#settle();
  }

  get isOpen() {
    return this.#app.dataset.sidebar === "open";
  }

  get isDrawer() {
    return this.isOpen && NARROW.matches;
  }

  /** A drawer has done its work when something was chosen in it. */
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
