/** One of AG2's own events, for those who want to see all: its type on a line, and all of it when it is opened. */

import { h, icon, setText } from "../shared/dom.js";
import { compact } from "../../core/format.js";

export class EventLine {
  #type = h("span", { class: "event-type" });
  #about = h("span", { class: "event-about" });
  #json = h("pre", { tabindex: 0, "aria-label": "Event" });
  #content = {};
  element = h(
    "details",
    { class: "event-line", ontoggle: () => this.#fill() },
    h("summary", {}, icon("event"), this.#type, this.#about),
    this.#json,
  );

  /** @param {import("../../core/event-items.js").OtherEvent} item */
  update({ type, content }) {
    const { uuid, within, ...about } = content;
    this.#content = content;
    setText(this.#type, type);
    setText(this.#about, Object.keys(about).length ? compact(about) : "");
    this.#fill();
  }

  #fill() {
    if (this.element.open) setText(this.#json, JSON.stringify(this.#content, null, 2));
  }
}
