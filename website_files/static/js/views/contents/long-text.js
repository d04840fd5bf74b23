/** A text of any length: a part of it is shown, all of it is searched. `new LongText(text, "Result").element`. */

import { bytes } from "../../core/format.js";
import { found, MOST_FOUND, pieceAt, pieceStarts } from "../../core/contents/long-text.js";
import { t } from "../../core/words.js";
import { button, h, iconButton, setText } from "../shared/dom.js";

const SEARCHED = 2_000; // characters; shorter texts need no search
const HIGHLIGHT = "found";

export class LongText {
  #text;
  #starts;
  #from = 0; // pieces shown: from, up to but without end
  #end = 0;
  #box;
  #note = h("p", { class: "long-text-note" });
  #earlier = button("text-button", () => this.#showEarlier(), t`Show earlier`);
  #more = button("text-button", () => this.#showMore(), t`Show more`);
  #cut = h("div", { class: "long-text-cut" }, this.#note, this.#earlier, this.#more);
  #places = [];
  #place = -1;
  #count = h("span", { class: "long-text-count", role: "status" });
  element;

  constructor(text, name) {
    this.#text = text;
    this.#starts = pieceStarts(text);
    this.#box = h("pre", { class: "code-box", tabindex: 0, "aria-label": name, dir: "auto" });
    const search = text.length > SEARCHED ? this.#search(name) : null;
    this.element = h("div", { class: "long-text" }, search, this.#box, this.#cut);
    this.#showFrom(0);
  }

  #search(name) {
    const field = h("input", {
      type: "search", class: "long-text-query", "aria-label": t`Search in ${name}`, placeholder: t`Search`,
      oninput: () => this.#find(field.value),
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        this.#go(event.shiftKey ? -1 : 1);
      },
    });
    const previous = iconButton("long-text-previous", t`Previous place`, "chevron", () => this.#go(-1));
    const next = iconButton("long-text-next", t`Next place`, "chevron", () => this.#go(1));
    return h("div", { class: "long-text-search", role: "search", "aria-label": t`Search in ${name}` }, field, this.#count, previous, next);
  }

  #find(query) {
    this.#places = found(this.#text, query);
    this.#place = -1;
    CSS.highlights?.delete(HIGHLIGHT);
    setText(this.#count, query ? t`Nothing found` : "");
    if (this.#places.length) this.#go(1);
  }

  #go(step) {
    const count = this.#places.length;
    if (count === 0) return;
    this.#place = (Math.max(this.#place, step < 0 ? 0 : -1) + step + count) % count;
    const place = this.#places[this.#place];
    const of = count === MOST_FOUND ? t`${this.#place + 1} of ${count} or more` : t`${this.#place + 1} of ${count}`;
    setText(this.#count, of);
    const piece = pieceAt(this.#starts, place.at);
    if (piece < this.#from || piece >= this.#end) this.#showFrom(piece);
    if (place.at + place.length > this.#startOf(this.#end)) this.#showMore();
    this.#mark(place);
  }

  #mark({ at, length }) {
    const range = new Range();
    range.setStart(...this.#pointOf(at));
    range.setEnd(...this.#pointOf(at + length - 1, 1));
    CSS.highlights?.set(HIGHLIGHT, new Highlight(range));
    const { top } = range.getBoundingClientRect();
    const box = this.#box.getBoundingClientRect();
    if (top < box.top || top > box.bottom - 24) this.#box.scrollTop += top - box.top - box.height / 2;
  }

  /** The text node and the offset of a place that is shown. */
  #pointOf(at, after = 0) {
    const piece = pieceAt(this.#starts, at);
    const node = this.#box.children[piece - this.#from].firstChild;
    return [node, Math.min(at - this.#starts[piece] + after, node.length)];
  }

  #showFrom(piece) {
    this.#box.replaceChildren();
    this.#from = this.#end = piece;
    this.#showMore();
  }

  #showMore() {
    if (this.#end >= this.#starts.length) return;
    this.#box.append(this.#piece(this.#end));
    this.#end += 1;
    this.#sayHowMuch();
  }

  #showEarlier() {
    const before = this.#box.scrollHeight;
    this.#from -= 1;
    this.#box.prepend(this.#piece(this.#from));
    this.#box.scrollTop += this.#box.scrollHeight - before;
    this.#sayHowMuch();
  }

  #piece(number) {
    return h("span", { class: "long-text-piece" }, this.#text.slice(this.#starts[number], this.#startOf(number + 1)));
  }

  #sayHowMuch() {
    const shown = this.#startOf(this.#end) - this.#startOf(this.#from);
    const isWhole = shown === this.#text.length;
    this.#cut.hidden = isWhole;
    this.#earlier.hidden = this.#from === 0;
    this.#more.hidden = this.#end === this.#starts.length;
    if (!isWhole) setText(this.#note, t`Showing ${bytes(shown)} of ${bytes(this.#text.length)}`);
  }

  #startOf(piece) {
    return this.#starts[piece] ?? this.#text.length;
  }
}
