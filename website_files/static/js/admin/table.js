/** A table whose rows stay while what they show does, so that focus and selection survive a refresh. */

import { ago, fullTime } from "../core/format.js";
import { h, setAttribute, setText } from "../views/shared/dom.js";
import { KeyedList } from "../views/shared/keyed-list.js";

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {"text"|"number"|"time"|"action"} kind  a time is shown as how long ago it was
 * @property {(item: object) => string} [of]  text of the cell
 * @property {(item: object) => string|null} [link]  address to which the text leads
 * @property {(item: object) => Element} [element]  content of the cell, made once, instead of a text
 */
export class Table {
  #element;
  #none;
  #rows;

  /** @param {Column[]} columns  @param {string} none  words for an empty table */
  constructor(container, columns, none) {
    const label = container.getAttribute("aria-labelledby");
    const body = h("tbody");
    const titles = columns.map(({ title, kind }) => h("th", { scope: "col", "data-kind": kind }, title));
    const table = h("table", { "aria-labelledby": label }, h("thead", {}, h("tr", {}, titles)), body);
    this.#element = h("div", { class: "admin-table thin-scrollbar" }, table);
    this.#none = h("p", { class: "admin-none" }, none);
    container.append(this.#element, this.#none);
    this.#rows = new KeyedList(body, ({ item }) => new Row(columns, item));
  }

  /** @param {{key: string, item: object}[]} items */
  update(items) {
    this.#element.hidden = items.length === 0;
    this.#none.hidden = items.length > 0;
    this.#rows.update(items);
  }
}

class Row {
  #cells;

  constructor(columns, item) {
    this.#cells = columns.map((column) => ({ column, cell: h("td", { "data-kind": column.kind }) }));
    for (const { column, cell } of this.#cells) if (column.element) cell.append(column.element(item));
    this.element = h("tr", {}, this.#cells.map(({ cell }) => cell));
  }

  update({ item }) {
    for (const { column, cell } of this.#cells) {
      if (column.kind === "time") showTime(cell, column.of(item));
      else if (column.link?.(item)) showLink(cell, column.link(item), column.of(item));
      else if (column.of) setText(cell, column.of(item));
    }
  }
}

function showTime(cell, ts) {
  setText(cell, ago(Date.parse(ts)));
  setAttribute(cell, "title", fullTime(ts));
}

function showLink(cell, address, text) {
  if (cell.firstElementChild === null) cell.replaceChildren(h("a", {}));
  setAttribute(cell.firstElementChild, "href", address);
  setText(cell.firstElementChild, text);
}
