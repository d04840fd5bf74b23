/** What can be done with one conversation of the list: one menu for all entries, shown beside the one that asked. */

import { button, h } from "../shared/dom.js";
import { exportAddress } from "../../transport/rest-api.js";

const FORMATS = { markdown: "Markdown", html: "HTML", json: "JSON" };
const GAP = 4; // pixels

export class EntryMenu {
  #entry = null;
  #place = { top: 0, bottom: 0, right: 0 };
  #links = Object.entries(FORMATS).map(([format, name]) => [format, h("a", { download: true }, `Export as ${name}`)]);
  #rename = button("", () => this.#choose((entry) => entry.rename()), "Rename");
  element = h(
    "div",
    { class: "menu", popover: "auto", role: "group", ontoggle: (event) => this.#toggled(event) },
    this.#rename,
    ...this.#links.map(([, link]) => link),
    button("menu-danger", () => this.#choose((entry) => entry.askDelete()), "Delete"),
  );

  constructor() {
    for (const [, link] of this.#links) link.addEventListener("click", () => this.element.hidePopover());
  }

  /** The button shows the menu; the browser closes it again, at a click elsewhere or at Escape. */
  attach(opener, entry) {
    opener.popoverTargetElement = this.element;
    opener.addEventListener("click", () => {
      this.#entry = entry;
      this.#place = opener.getBoundingClientRect();
      this.element.setAttribute("aria-label", opener.getAttribute("aria-label"));
      for (const [format, link] of this.#links) link.href = exportAddress(entry.id, format);
    });
  }

  #toggled({ newState }) {
    if (newState !== "open") return;
    const { top, bottom, right } = this.#place;
    const { offsetHeight, offsetWidth } = this.element;
    const isRoomBelow = bottom + GAP + offsetHeight < innerHeight;
    const y = isRoomBelow ? bottom + GAP : Math.max(top - GAP - offsetHeight, GAP);
    this.element.style.setProperty("top", `${y}px`);
    this.element.style.setProperty("left", `${Math.max(right - offsetWidth, GAP)}px`);
    this.#rename.focus();
  }

  #choose(act) {
    this.element.hidePopover();
    act(this.#entry);
  }
}
