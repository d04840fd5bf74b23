/** The dialog to find a conversation, an agent or a command with a few letters. */

import { bestMatches } from "../../core/fuzzy.js";
import { t } from "../../core/words.js";
import { h } from "../shared/dom.js";
import { OptionList } from "./option-list.js";

const MOST = 50; // entries shown
const MOST_OF_GROUP = 8; // conversations and agents shown before anything is written
const PAUSE = 200; // ms after the last key before the server is asked

export class Palette {
  #field = h("input", {
    class: "palette-field", type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-autocomplete": "list", "aria-haspopup": "listbox", oninput: () => this.#typed(), onkeydown: (event) => this.#pressed(event),
  });
  #list;
  #note = h("p", { class: "palette-note", role: "status" });
  #intents;
  #found = []; // conversations that the server has found
  #timer = null;
  #shown = 0;

  /** @param {{options(): import("./option-list.js").Option[], search(query: string): Promise<import("./option-list.js").Option[]>}} intents */
  constructor(intents) {
    this.#intents = intents;
    this.#list = new OptionList(this.#field, t`Results`, (option) => this.#run(option));
    this.element = h(
      "dialog",
      { class: "palette", onclick: (event) => event.target === this.element && this.element.close() },
      this.#field, this.#list.element, this.#note,
    );
  }

  get isOpen() {
    return this.element.open;
  }

  open() {
    if (this.isOpen) return;
    this.#field.value = "";
    this.#field.placeholder = t`Conversations, agents, commands`;
    for (const each of [this.element, this.#field]) each.setAttribute("aria-label", t`Find anything`);
    this.#found = [];
    this.element.showModal();
    this.#draw();
    this.#field.focus();
  }

  close() {
    this.element.close();
  }

  #typed() {
    this.#draw();
    clearTimeout(this.#timer);
    const query = this.#field.value.trim();
    if (query.length > 1) this.#timer = setTimeout(() => this.#search(query), PAUSE);
  }

  /** Adds conversations that are not in the list beside, unless somebody types on. */
  async #search(query) {
    const number = ++this.#shown;
    const found = await this.#intents.search(query).catch(() => []); // what is here can still be found
    if (number !== this.#shown || query !== this.#field.value.trim()) return;
    this.#found = found;
    this.#draw();
  }

  #draw() {
    const query = this.#field.value;
    const here = this.#intents.options();
    const matching = query.trim()
      ? bestMatches(query, here, ({ title, about = "", words = "" }) => [title, about, words]) : firstOfEach(here);
    const known = new Set(matching.map(({ key }) => key));
    const others = query.trim() ? this.#found.filter(({ key }) => !known.has(key)) : [];
    const all = [...matching, ...others].slice(0, MOST);
    const groups = [...new Set(all.map(({ group }) => group))];
    this.#list.update(groups.flatMap((group) => all.filter((each) => each.group === group)));
    this.#note.textContent = all.length ? "" : t`Nothing found`;
  }

  #pressed(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#list.pressed(event)) event.preventDefault();
  }

  #run(option) {
    this.element.close();
    option.run();
  }
}

/** The first of each group; all of those that can be done. */
function firstOfEach(options) {
  const counts = new Map();
  return options.filter(({ group, name, about }) => {
    counts.set(group, (counts.get(group) ?? 0) + 1);
    return (name && about === undefined) || counts.get(group) <= MOST_OF_GROUP;
  });
}
