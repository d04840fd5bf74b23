/** Notes that agents keep about the person across all conversations, to view, correct and erase. */

import { fullTime } from "../../core/format.js";
import { t } from "../../core/words.js";
import { button, h, iconButton, setAttribute, setText } from "../shared/dom.js";
import { InlineConfirm, InlineForm } from "../shared/inline-form.js";
import { KeyedList } from "../shared/keyed-list.js";

export class MemoryPanel {
  #fetch;
  #erase;
  #write;
  #isForAccount;
  #list;
  #note = h("p", { class: "memory-note", role: "status" });
  #all = button("text-button memory-all", () => this.#ask(), t`Erase all`);
  #foot = h("div", { class: "memory-foot" }, this.#all);
  #asked = 0; // number of the latest request; earlier answers are ignored

  /**
   * @param {{fetch(): Promise<{notes: {key: string, value: string, updated: string}[]}>, erase(key?: string): Promise,
   *   write(key: string, value: string): Promise, isForAccount?: boolean}} options `erase` erases everything when called without a
   *   key; the notes are kept for an account, or for a name in this browser
   */
  constructor(element, { fetch, erase, write, isForAccount = false }) {
    this.#fetch = fetch;
    this.#erase = erase;
    this.#write = write;
    this.#isForAccount = isForAccount;
    const list = h("ul", { class: "memory-list", "aria-label": t`What is remembered about you` });
    this.#list = new KeyedList(list, () => new Note((key) => this.#remove(key), (key, value) => this.#correct(key, value)));
    element.append(list, this.#note, this.#foot);
    this.#show([]);
  }

  async refresh() {
    const number = ++this.#asked;
    try {
      const { notes } = await this.#fetch();
      if (number === this.#asked) this.#show(notes);
    } catch (error) {
      if (number === this.#asked) setText(this.#note, t`It cannot be shown at the moment: ${error.message}`);
    }
  }

  #show(notes) {
    this.#list.update(notes);
    setText(this.#note, this.#about(notes.length > 0));
    this.#foot.hidden = notes.length < 2;
  }

  #about(hasNotes) {
    if (this.#isForAccount) return hasNotes ? t`Kept for your account.` : t`Nothing yet. It is kept for your account.`;
    return hasNotes ? t`Kept for your name in this browser.` : t`Nothing yet. It is kept for your name in this browser.`;
  }

  async #remove(key) {
    try {
      await this.#erase(key);
    } catch (error) {
      if (error.code !== "not_found") return setText(this.#note, error.message);
    }
    await this.refresh();
  }

  async #correct(key, value) {
    await this.#write(key, value);
    await this.refresh();
  }

  #ask() {
    const question = new InlineConfirm({
      words: t`Erase all that is remembered about you?`,
      yes: t`Erase`,
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
  #edit;
  #erase;
  #words;
  #correct;
  #name = "";
  element;

  /** @param {(key: string) => Promise} erase @param {(key: string, value: string) => Promise} correct */
  constructor(erase, correct) {
    this.#correct = correct;
    this.#edit = iconButton("memory-button", t`Edit`, "edit", () => this.#open());
    this.#erase = iconButton("memory-button", t`Erase`, "cross", () => erase(this.#name));
    this.#words = h("span", { class: "memory-words" }, this.#key, " ", this.#value);
    this.element = h("li", {}, this.#words, this.#edit, this.#erase);
  }

  #open() {
    const form = new InlineForm({
      kind: "words",
      label: this.#name,
      value: this.#value.textContent,
      done: (value) => void this.#save(form, value.trim()),
      cancel: () => this.#close(),
    });
    this.element.replaceChildren(form.element);
    form.focus();
  }

  async #save(form, value) {
    try {
      await this.#correct(this.#name, value);
      this.#close();
    } catch (error) {
      form.explain(error.message);
    }
  }

  #close() {
    this.element.replaceChildren(this.#words, this.#edit, this.#erase);
    this.#edit.focus();
  }

  update({ key, value, updated }) {
    this.#name = key;
    setText(this.#key, `${key}:`);
    setText(this.#value, value);
    this.element.title = fullTime(updated);
    setAttribute(this.#edit, "aria-label", t`Edit ${key}`);
    setAttribute(this.#erase, "aria-label", t`Erase ${key}`);
  }
}
