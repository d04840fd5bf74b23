/** Notes that agents keep about the person across all conversations, to view and erase. */

import { fullTime } from "../../core/format.js";
import { button, h, iconButton, setAttribute, setText } from "../shared/dom.js";
import { InlineConfirm } from "../shared/inline-form.js";
import { KeyedList } from "../shared/keyed-list.js";

export class MemoryPanel {
  #fetch;
  #erase;
  #whose;
  #list;
  #note = h("p", { class: "memory-note", role: "status" });
  #all = button("text-button memory-all", () => this.#ask(), "Erase all");
  #foot = h("div", { class: "memory-foot" }, this.#all);
  #asked = 0; // number of the latest request; earlier answers are ignored

  /**
   * @param {() => Promise<{notes: {key: string, value: string, updated: string}[]}>} fetch
   * @param {(key?: string) => Promise} erase erases everything when called without a key
   * @param {string} whose says for whom the notes are kept
   */
  constructor(element, fetch, erase, whose = "for your name in this browser") {
    this.#fetch = fetch;
    this.#erase = erase;
    this.#whose = whose;
    const list = h("ul", { class: "memory-list", "aria-label": "What is remembered about you" });
    this.#list = new KeyedList(list, () => new Note((key) => this.#remove(key)));
    element.append(list, this.#note, this.#foot);
    this.#show([]);
  }

  async refresh() {
    const number = ++this.#asked;
    try {
      const { notes } = await this.#fetch();
      if (number === this.#asked) this.#show(notes);
    } catch (error) {
      if (number === this.#asked) setText(this.#note, `It cannot be shown at the moment: ${error.message}`);
    }
  }

  #show(notes) {
    this.#list.update(notes);
    setText(this.#note, notes.length ? `Kept ${this.#whose}.` : `Nothing yet. It is kept ${this.#whose}.`);
    this.#foot.hidden = notes.length < 2;
  }

  async #remove(key) {
    try {
      await this.#erase(key);
    } catch (error) {
      if (error.code !== "not_found") return setText(this.#note, error.message);
    }
    await this.refresh();
  }

  #ask() {
    const question = new InlineConfirm({
      words: "Erase all that is remembered about you?",
      yes: "Erase",
      act: async () => {
        await this.#erase();
        this.#foot.replaceChildren(this.#all);
        await this.refresh();
      },
      cancel: () => (this.#foot.replaceChildren(this.#all), this.#all.focus()),
    });
    this.#foot.replaceChildren(question.element);
    question.focus();
  }
}

class Note {
  #key = h("span", { class: "memory-key", dir: "auto" });
  #value = h("span", { class: "memory-value", dir: "auto" });
  #erase;
  #name = "";
  element;

  constructor(erase) {
    this.#erase = iconButton("memory-erase", "Erase", "cross", () => erase(this.#name));
    this.element = h("li", {}, h("span", { class: "memory-words" }, this.#key, " ", this.#value), this.#erase);
  }

  update({ key, value, updated }) {
    this.#name = key;
    setText(this.#key, `${key}:`);
    setText(this.#value, value);
    this.element.title = fullTime(updated);
    setAttribute(this.#erase, "aria-label", `Erase ${key}`);
  }
}
