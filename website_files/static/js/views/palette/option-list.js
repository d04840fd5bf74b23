/**
 * A list of choices below a field that keeps the focus; the arrow keys move through them.
 *
 * @typedef {{key: string, group: string, title: string, about?: string, icon?: string, run(): void}} Option
 */

import { h, icon, setAttribute } from "../shared/dom.js";

let count = 0;

export class OptionList {
  #field;
  #chosen;
  #options = [];
  #elements = [];
  #active = -1;
  #id = `options-${++count}`;

  /** @param {HTMLElement} field that has the focus @param {(option: Option) => void} chosen */
  constructor(field, label, chosen) {
    this.#field = field;
    this.#chosen = chosen;
    this.element = h("div", { class: "option-list thin-scrollbar", role: "listbox", id: this.#id, "aria-label": label });
  }

  get isEmpty() {
    return this.#options.length === 0;
  }

  /** @param {Option[]} options those of a group follow each other */
  update(options) {
    this.#options = options;
    this.#elements = options.map((option, at) => this.#element(option, at));
    const groups = [...new Set(options.map(({ group }) => group))].map((group) => this.#group(group));
    this.element.replaceChildren(...groups);
    this.#activate(options.length ? 0 : -1);
    setAttribute(this.#field, "aria-controls", this.#id);
    if (this.#field.getAttribute("role") === "combobox") setAttribute(this.#field, "aria-expanded", String(options.length > 0));
  }

  /** Returns whether the key was for the list. */
  pressed({ key, ctrlKey, metaKey, altKey, shiftKey }) {
    const last = this.#options.length - 1;
    if (last < 0 || ctrlKey || metaKey || altKey || shiftKey) return false;
    const to = { ArrowDown: this.#active < last ? this.#active + 1 : 0, ArrowUp: this.#active > 0 ? this.#active - 1 : last }[key];
    if (to !== undefined) this.#activate(to);
    else if (key === "Enter") this.#chosen(this.#options[this.#active]);
    else return false;
    return true;
  }

  // Internal

  #group(group) {
    const id = `${this.#id}-${group.replace(/\W+/g, "-")}`;
    const own = this.#elements.filter((_, at) => this.#options[at].group === group);
    return h("div", { role: "group", "aria-labelledby": id }, h("div", { class: "option-group", id, role: "presentation" }, group), ...own);
  }

  #element(option, at) {
    return h(
      "div",
      {
        class: "option", role: "option", id: `${this.#id}-${at}`, "aria-selected": "false",
        onmousedown: (event) => event.preventDefault(), // the field keeps the focus
        onmousemove: () => this.#activate(at),
        onclick: () => this.#chosen(option),
      },
      icon(option.icon ?? "chevron"),
      h("span", { class: "option-title one-line", dir: "auto" }, option.title),
      option.about ? h("span", { class: "option-about one-line", dir: "auto" }, option.about) : null,
    );
  }

  #activate(at) {
    if (this.#active !== at) this.#elements[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = at;
    const element = this.#elements[at];
    element?.setAttribute("aria-selected", "true");
    element?.scrollIntoView({ block: "nearest" });
    setAttribute(this.#field, "aria-activedescendant", element?.id);
  }
}
