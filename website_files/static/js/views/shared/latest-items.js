/**
 * The items of a turn or of an inner chat, of which there may be thousands: only the latest are built. Earlier ones are
 * added when the reader gets near them, and taken away again once many have come while the reader is at the end.
 */

import { isOpenQuestion } from "../../core/session/questions.js";
import { t } from "../../core/words.js";
import { button, h } from "./dom.js";
import { KeyedList } from "./keyed-list.js";
import { isAtEnd, keepEnd, whenNear } from "./scrolling.js";

export const AT_ONCE = 200; // items that are built at a time
const MOST = 2 * AT_ONCE; // items that are built while the reader is at the end

export class LatestItems {
  element = h("div", { class: "turn-items" });
  /** Stands before the items. */
  earlier = h("div", { class: "earlier-items", hidden: true }, button("text-button", () => this.#showEarlier(), t`Earlier messages`));
  #list;
  #items = [];
  #isWatched = false;
  #first = 0; // the number of items that are not built

  /**
   * @param {(item: {key: string}) => {element: Element, update(item: object): void}} create the view of an item
   * @param isReadUpwards false if one gets to the start first, where only the button adds earlier ones
   */
  constructor(create, isReadUpwards = true) {
    this.#list = new KeyedList(this.element, create);
    this.#isWatched = !isReadUpwards;
  }

  update(items) {
    const before = this.#items.length;
    this.#items = items;
    if (items.length < this.#first || before === 0) this.#first = 0;
    if (items.length - this.#first > MOST && (before === 0 || isAtEnd(this.element))) this.#first = items.length - AT_ONCE;
    this.#build();
  }

  /** The view of an item, which is built with all that follow if it is an earlier one. */
  view(key) {
    const place = this.#items.findIndex((item) => item.key === key);
    if (place < this.#first) {
      this.#first = place;
      this.#build();
    }
    return this.#list.view(key);
  }

  #build() {
    const asked = this.#first && this.#items.findIndex(isOpenQuestion);
    if (asked >= 0) this.#first = Math.min(this.#first, asked);
    this.#list.update(this.#first ? this.#items.slice(this.#first) : this.#items);
    this.earlier.hidden = this.#first === 0;
    if (this.#first && !this.#isWatched) whenNear(this.earlier, () => this.#showEarlier());
    this.#isWatched ||= this.#first > 0;
  }

  #showEarlier() {
    if (!this.#first) return;
    keepEnd(this.element, () => {
      this.#first = Math.max(this.#first - AT_ONCE, 0);
      this.#build();
    });
  }
}
