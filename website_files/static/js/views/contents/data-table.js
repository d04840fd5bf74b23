/** A table of any length: `new DataTable({ columns, rows }, "Result").element`. Only rows near those in sight are built. */

import { cellText, sorted } from "../../core/contents/table-data.js";
import { t } from "../../core/words.js";
import { h } from "../shared/dom.js";

const ROW = 32; // pixels, as in data.css
const AROUND = 20; // rows built above and below those in sight
const INITIAL = 60; // rows built before the height is known
const CELL = 300; // characters of a cell

export class DataTable {
  #data;
  #rows;
  #order = { column: -1, isDescending: false };
  #heads;
  #body = h("tbody", {});
  #shown = { from: 0, end: 0 };

  /** @param {import("../../core/contents/table-data.js").TableData} data */
  constructor(data, name) {
    this.#data = data;
    this.#rows = data.rows;
    this.#heads = data.columns.map((column, at) => this.#head(column, at));
    const attributes = { "aria-label": name, "aria-rowcount": data.rows.length + 1 };
    const table = h("table", attributes, h("thead", {}, h("tr", { "aria-rowindex": 1 }, ...this.#heads)), this.#body);
    const scroller = { class: "data-table", role: "region", "aria-label": name, tabindex: 0 };
    this.element = h("div", { ...scroller, onscroll: () => this.#draw() }, table);
    new ResizeObserver(() => this.#draw()).observe(this.element);
    this.#draw();
  }

  #head(column, at) {
    const sort = h("button", { type: "button", title: t`Sort by ${column}`, onclick: () => this.#sort(at) }, column || "\u00a0");
    return h("th", { scope: "col", "aria-sort": "none", dir: "auto" }, sort);
  }

  /** Sorts by a column: upwards, then downwards, then as it came. */
  #sort(column) {
    const before = this.#order;
    const isSame = before.column === column;
    this.#order = isSame && before.isDescending ? { column: -1, isDescending: false } : { column, isDescending: isSame };
    const { isDescending } = this.#order;
    this.#rows = this.#order.column < 0 ? this.#data.rows : sorted(this.#data.rows, column, isDescending);
    this.#heads.forEach((head, at) => {
      head.ariaSort = at !== this.#order.column ? "none" : isDescending ? "descending" : "ascending";
    });
    this.#shown = { from: 0, end: 0 };
    this.#draw();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.element;
    const count = this.#rows.length;
    const inSight = clientHeight ? Math.ceil(clientHeight / ROW) + 2 * AROUND : INITIAL;
    const from = Math.max(0, Math.min(Math.floor(scrollTop / ROW) - AROUND, count - inSight));
    const end = Math.min(count, from + inSight);
    const isEdge = from === 0 || end === count;
    const isNear = Math.abs(from - this.#shown.from) < (isEdge ? 1 : AROUND / 2);
    if (isNear && end - from === this.#shown.end - this.#shown.from) return;
    this.#shown = { from, end };
    const rows = this.#rows.slice(from, end).map((row, at) => this.#row(row, from + at));
    this.#body.replaceChildren(space(from), ...rows, space(count - end));
  }

  #row(row, at) {
    const cells = this.#data.columns.map((_, column) => cell(row[column]));
    return h("tr", { "aria-rowindex": at + 2 }, ...cells);
  }
}

function cell(value) {
  const text = cellText(value);
  const isNumber = typeof value === "number" || /^-?\d+([.,]\d+)?$/.test(text);
  const attributes = { dir: "auto", "data-kind": isNumber ? "number" : null, title: text.length > 40 ? text.slice(0, 1000) : null };
  return h("td", attributes, text.slice(0, CELL));
}

/** The room of rows that are not built. */
function space(rows) {
  const row = h("tr", { class: "data-table-space", "aria-hidden": "true", hidden: rows === 0 });
  row.style.setProperty("height", `${rows * ROW}px`);
  return row;
}
