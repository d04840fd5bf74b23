/** The menu above the message field: agents and commands, for a text that begins with `/`. */

import { t } from "../../core/words.js";
import { setAttribute } from "../shared/dom.js";
import { OptionList } from "./option-list.js";

export class SlashMenu {
  #field;
  #list;
  #intents;
  #closedAt = null; // the text at which it was closed with Escape

  /** @param {HTMLElement} place @param {HTMLTextAreaElement} field
   *  @param {{options(): (import("./option-list.js").Option & {name: string})[], clear(): void}} intents */
  constructor(place, field, intents) {
    this.#field = field;
    this.#intents = intents;
    this.#list = new OptionList(field, t`Agents and commands`, (option) => this.#run(option));
    this.#list.element.classList.add("slash-menu");
    this.#list.element.hidden = true;
    this.#list.element.tabIndex = 0; // it scrolls
    this.#list.element.addEventListener("keydown", (event) => this.#pressedInList(event));
    place.prepend(this.#list.element);
    for (const each of [field, this.#list.element]) each.addEventListener("blur", (event) => this.#left(event));
  }

  get isOpen() {
    return !this.#list.element.hidden;
  }

  /** Shows what begins with the text; `isWanted` is false while the text is an answer. */
  update(text, isWanted) {
    const query = isWanted && /^\/[^\s/]*$/.test(text) ? text.slice(1).toLowerCase() : null;
    if (query === null || text !== this.#closedAt) this.#closedAt = null;
    if (query === null && !this.isOpen) return;
    const isClosed = query === null || this.#closedAt !== null;
    this.#show(isClosed ? [] : this.#intents.options().filter(({ name, title }) => begins(query, name, title)));
  }

  /** Returns whether the key was for the menu. */
  pressed(event) {
    if (!this.isOpen) return false;
    if (event.key !== "Escape") return this.#list.pressed(event);
    event.stopPropagation(); // or it would also leave the field
    this.#closedAt = this.#field.value;
    this.#show([]);
    return true;
  }

  /** The field says that it has a menu only while there is one; a textarea cannot be a combobox. */
  #show(options) {
    const isOpen = options.length > 0;
    if (!isOpen && !this.isOpen) return;
    this.#list.update(options);
    this.#list.element.hidden = !isOpen;
    setAttribute(this.#field, "aria-autocomplete", isOpen ? "list" : null);
    if (!isOpen) for (const name of ["aria-controls", "aria-activedescendant"]) this.#field.removeAttribute(name);
  }

  #left({ relatedTarget }) {
    if (relatedTarget !== this.#field && relatedTarget !== this.#list.element) this.#show([]);
  }

  #pressedInList(event) {
    if (!this.pressed(event)) return;
    event.preventDefault();
    this.#field.focus();
  }

  #run(option) {
    this.#show([]);
    this.#intents.clear();
    option.run();
  }
}

function begins(query, name, title) {
  return [name, ...title.split(/\s+/)].some((word) => word.toLowerCase().startsWith(query));
}
