/** Shows a text of any length: the part around what the reader looks at, with search over all of it, and as a file. */

import { bytes } from "../../core/format.js";
import { t } from "../../core/words.js";
import { button, h, icon } from "./dom.js";

const SHOWN = 50_000; // code units that are shown at first, and with each "Show more"
const MAX_HITS = 10_000;

export class LongText {
  #text;
  #name;
  #from = 0;
  #to = SHOWN;
  #hits = []; // places of what is searched for
  #hit = -1;
  #length = 0; // of what is searched for
  #content;
  #note = h("span", { class: "long-text-note", role: "status" });
  #search;
  #next = button("text-button", () => this.#goTo(this.#hit + 1), t`Next`);
  #more = button("text-button", () => this.#showMore(), t`Show more`);

  /** @param {string} name of the text, like "Result"; @param {string} file its name when it is saved */
  constructor(text, name, file) {
    this.#text = text;
    this.#name = file;
    this.#content = h("pre", { class: "code-box", tabindex: 0, role: "group", "aria-label": name });
    const words = { placeholder: t`Search`, "aria-label": t`Search in this text` };
    this.#search = h("input", { type: "search", class: "field", ...words });
    this.#search.addEventListener("input", () => this.#find());
    this.#search.addEventListener("keydown", ({ key, shiftKey }) => {
      if (key === "Enter") this.#goTo(this.#hit + (shiftKey ? -1 : 1));
    });
    const save = button("text-button", () => this.#save(), icon("download"), t`Download`);
    const isLong = text.length > SHOWN;
    const bar = h("div", { class: "long-text-bar" }, this.#search, this.#next, this.#note, this.#more, save);
    this.element = h("div", { class: "long-text" }, this.#content, isLong ? bar : null);
    this.#show();
  }

  #show(hit = null) {
    const [start, end] = [this.#from > 0 ? "…" : "", this.#to < this.#text.length ? "…" : ""];
    if (hit === null) this.#content.replaceChildren(start, this.#text.slice(this.#from, this.#to), end);
    else {
      const mark = h("mark", {}, this.#text.slice(hit, hit + this.#length));
      const after = this.#text.slice(hit + this.#length, this.#to);
      this.#content.replaceChildren(start, this.#text.slice(this.#from, hit), mark, after, end);
      mark.scrollIntoView({ block: "nearest" });
    }
    this.#more.hidden = this.#to >= this.#text.length;
    this.#next.hidden = !this.#hits.length;
    this.#note.textContent = this.#hits.length
      ? t`${this.#hit + 1} of ${this.#hits.length}`
      : this.#search.value
        ? t`Not found`
        : t`${bytes(this.#to - this.#from)} of ${bytes(this.#text.length)} are shown`;
  }

  #showMore() {
    this.#to = Math.min(this.#to + SHOWN, this.#text.length);
    this.#show(this.#hits[this.#hit] ?? null);
  }

  #find() {
    const wanted = this.#search.value.toLowerCase();
    const text = this.#text.toLowerCase();
    this.#hits = [];
    this.#length = wanted.length;
    let at = wanted ? text.indexOf(wanted) : -1;
    while (at >= 0 && this.#hits.length < MAX_HITS) {
      this.#hits.push(at);
      at = text.indexOf(wanted, at + wanted.length);
    }
    if (this.#hits.length) this.#goTo(0);
    else this.#show();
  }

  #goTo(place) {
    if (!this.#hits.length) return;
    this.#hit = (place + this.#hits.length) % this.#hits.length;
    const at = this.#hits[this.#hit];
    if (at < this.#from || at + this.#length > this.#to) {
      this.#from = Math.max(at - SHOWN / 2, 0);
      this.#to = Math.min(at + SHOWN / 2, this.#text.length);
    }
    this.#show(at);
  }

  #save() {
    const address = URL.createObjectURL(new Blob([this.#text], { type: "text/plain" }));
    h("a", { href: address, download: this.#name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}
