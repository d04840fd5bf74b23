/** The panel with tasks and files, shown only if there are any; a sheet on narrow screens. */

import { currentLanguage, t } from "../../core/words.js";
import { device } from "../../transport/storage.js";
import { setAttribute, setText } from "../shared/dom.js";

const NARROW = matchMedia("(max-width: 1100px)");

export class SidePanel {
  #app;
  #element;
  #toggle;
  #isWanted = device.get("panel", true); // on wide screens
  #isSheetOpen = false;
  #hasContent = false;

  constructor(app) {
    this.#app = app;
    this.#element = app.querySelector(".side-panel");
    this.#toggle = app.querySelector(".panel-toggle");
    this.#toggle.addEventListener("click", () => this.#show(true));
    this.#element.querySelector(".panel-close").addEventListener("click", () => this.close());
    app.querySelector(".panel-scrim").addEventListener("click", () => this.close());
    NARROW.addEventListener("change", () => this.#set());
    this.#set();
  }

  get isOpen() {
    return this.#hasContent && (NARROW.matches ? this.#isSheetOpen : this.#isWanted);
  }

  get isSheet() {
    return this.isOpen && NARROW.matches;
  }

  /** @param {{done: number, all: number}} plan @param {number} fileCount @param {boolean} hasProblem */
  update(plan, fileCount, hasProblem) {
    this.#hasContent = plan.all > 0 || fileCount > 0 || hasProblem;
    if (!this.#hasContent) this.#isSheetOpen = false;
    setText(this.#toggle.querySelector(".panel-count"), plan.all ? `${plan.done}/${plan.all}` : String(fileCount));
    setAttribute(this.#toggle, "aria-label", t`Show ${listed(plan, fileCount)}`);
    this.#set();
  }

  get hasContent() {
    return this.#hasContent;
  }

  toggle() {
    this.#show(!this.isOpen);
  }

  close() {
    this.#show(false);
  }

  // Internal

  #show(isOpen) {
    if (NARROW.matches) this.#isSheetOpen = isOpen;
    else device.set("panel", (this.#isWanted = isOpen));
    this.#set();
    if (isOpen) this.#element.querySelector(".panel-close").focus();
    else if (!this.#toggle.hidden) this.#toggle.focus();
  }

  #set() {
    const { isOpen, isSheet } = this;
    this.#app.dataset.panel = isOpen ? "open" : "closed";
    this.#element.hidden = !isOpen;
    this.#toggle.hidden = !this.#hasContent || (isOpen && !isSheet);
    setAttribute(this.#toggle, "aria-expanded", isOpen);
    this.#app.toggleAttribute("data-sheet", isSheet);
    for (const each of this.#app.querySelectorAll(".stage, .sidebar")) setInert(each, isSheet);
  }
}

/** Makes an element inert, leaving alone those that the sidebar's drawer made inert. */
function setInert(element, isInert) {
  if (element.hasAttribute("data-under-sheet") === isInert) return;
  element.toggleAttribute("data-under-sheet", isInert);
  element.inert = isInert;
}

function listed({ done, all }, fileCount) {
  const parts = [all && t`tasks: ${done} of ${all} done`, fileCount && t`files: ${fileCount}`];
  return new Intl.ListFormat(currentLanguage(), { type: "unit", style: "short" }).format(parts.filter(Boolean));
}
