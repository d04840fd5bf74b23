/** Data as a tree that opens level by level: `new DataTree(value, "Result").element`. Only what is open is built. */

import { t, tn } from "../../core/words.js";
import { h } from "../shared/dom.js";

const SLICE = 100; // entries shown at a time
const TEXT = 2000; // characters of a value shown at a time

export class DataTree {
  #items = new WeakMap(); // element → its { value, toggle }
  #current = null; // the item that Tab reaches

  constructor(value, name) {
    this.element = h("ul", {
      class: "data-tree", role: "tree", "aria-label": name,
      onclick: (event) => this.#clicked(event), onkeydown: (event) => this.#pressed(event),
    });
    const root = this.#item(null, value);
    this.element.append(root);
    this.#makeCurrent(root);
    if (isNested(value)) this.#open(root);
  }

  #item(name, value) {
    const words = isNested(value) ? size(value) : shownText(value);
    const row = h(
      "span",
      { class: "data-tree-row" },
      name === null ? null : h("span", { class: "data-tree-name", dir: "auto" }, `${name}:`),
      h("span", { class: "data-tree-value", "data-kind": kindOf(value), dir: "auto" }, words),
    );
    const canOpen = (isNested(value) && entryCount(value) > 0) || (typeof value === "string" && value.length > TEXT);
    const item = h("li", { role: "treeitem", tabindex: -1, "aria-expanded": canOpen ? "false" : null }, row);
    this.#items.set(item, { value });
    return item;
  }

  #open(item) {
    const { value } = this.#items.get(item);
    item.setAttribute("aria-expanded", "true");
    if (!isNested(value)) {
      item.querySelector(".data-tree-value").textContent = JSON.stringify(value);
      return;
    }
    const group = h("ul", { role: "group" });
    item.append(group);
    this.#fill(group, value, 0);
  }

  #fill(group, value, from) {
    const names = Array.isArray(value) ? null : Object.keys(value);
    const count = names ? names.length : value.length;
    const end = Math.min(from + SLICE, count);
    for (let at = from; at < end; at += 1) {
      const name = names ? names[at] : at;
      group.append(this.#item(name, value[name]));
    }
    if (end === count) return;
    const left = count - end;
    const more = h("li", { role: "treeitem", tabindex: -1, class: "data-tree-more" }, tn(left, "Show {n} more", "Show {n} more"));
    const show = () => {
      const isFocused = document.activeElement === more;
      const before = more.previousElementSibling;
      more.remove();
      this.#fill(group, value, end);
      this.#makeCurrent(before.nextElementSibling, isFocused);
    };
    this.#items.set(more, { show });
    group.append(more);
  }

  #close(item) {
    const { value } = this.#items.get(item);
    item.setAttribute("aria-expanded", "false");
    if (!isNested(value)) item.querySelector(".data-tree-value").textContent = shownText(value);
    item.querySelector(":scope > ul")?.remove();
  }

  #toggle(item) {
    const { show } = this.#items.get(item);
    if (show) show();
    else if (item.ariaExpanded === "true") this.#close(item);
    else if (item.ariaExpanded === "false") this.#open(item);
  }

  #clicked(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || !getSelection().isCollapsed) return;
    this.#makeCurrent(item, true);
    this.#toggle(item);
  }

  #pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const item = event.target.closest("[role=treeitem]");
    const isMirrored = getComputedStyle(this.element).direction === "rtl";
    const [into, out] = isMirrored ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
    const visible = () => [...this.element.querySelectorAll("[role=treeitem]")];
    let next = item;
    if (event.key === "ArrowDown") next = visible()[visible().indexOf(item) + 1];
    else if (event.key === "ArrowUp") next = visible()[visible().indexOf(item) - 1];
    else if (event.key === "Home") next = visible()[0];
    else if (event.key === "End") next = visible().at(-1);
    else if (event.key === "Enter" || event.key === " ") this.#toggle(item);
    else if (event.key === into && item.ariaExpanded === "false") this.#open(item);
    else if (event.key === into) next = item.querySelector("[role=treeitem]");
    else if (event.key === out && item.ariaExpanded === "true") this.#close(item);
    else if (event.key === out) next = item.parentElement.closest("[role=treeitem]");
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (next && next !== item) this.#makeCurrent(next, true);
  }

  #makeCurrent(item, isFocused = false) {
    if (this.#current) this.#current.tabIndex = -1;
    this.#current = item;
    item.tabIndex = 0;
    if (isFocused) item.focus();
  }
}

function isNested(value) {
  return typeof value === "object" && value !== null;
}

function kindOf(value) {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function entryCount(value) {
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

function size(value) {
  const count = entryCount(value);
  return Array.isArray(value) ? tn(count, "{n} entry", "{n} entries") : tn(count, "{n} field", "{n} fields");
}

function shownText(value) {
  if (typeof value !== "string") return String(value);
  const left = value.length - TEXT;
  return left > 0 ? `${JSON.stringify(value.slice(0, TEXT))}… ${t`${left} more characters`}` : JSON.stringify(value);
}
