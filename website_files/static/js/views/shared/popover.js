/** A popover next to the button that opened it. One popover can serve many buttons. */

import { h } from "./dom.js";

export class Popover {
  #gap;
  #align;
  #opened;
  #place = { top: 0, bottom: 0, left: 0, right: 0 }; // of the button

  /**
   * @param {object} attributes of the element
   * @param {{gap: number, align: "start"|"end", opened?(): void}} options `gap` is in pixels; `align` is the edge that
   *   lines up with the button
   */
  constructor(attributes, { gap, align, opened = () => {} }, ...children) {
    this.#gap = gap;
    this.#align = align;
    this.#opened = opened;
    this.element = h("div", { popover: "auto", ontoggle: (event) => this.#toggled(event), ...attributes }, ...children);
  }

  /** Makes a button open the popover; the browser closes it again on Escape or a click elsewhere. */
  attach(opener, prepare) {
    opener.popoverTargetElement = this.element;
    opener.addEventListener("click", () => {
      this.#place = opener.getBoundingClientRect();
      prepare();
    });
  }

  hide() {
    this.element.hidePopover();
  }

  /** Places the popover below the button or, if there is no room, above it. */
  #toggled({ newState }) {
    if (newState !== "open") return;
    const gap = this.#gap;
    const { top, bottom, left, right } = this.#place;
    const { offsetHeight, offsetWidth } = this.element;
    const y = bottom + gap + offsetHeight < innerHeight ? bottom + gap : top - gap - offsetHeight;
    const fitsAtStart = this.#align === "start" && left + offsetWidth < innerWidth - gap;
    const x = fitsAtStart ? left : right - offsetWidth;
    this.element.style.setProperty("top", `${Math.max(y, gap)}px`);
    this.element.style.setProperty("left", `${Math.max(x, gap)}px`);
    this.#opened();
  }
}
