/** The dialog with all that a person can choose on this page. */

import { t } from "../../core/words.js";
import { tab } from "../../transport/storage.js";
import { MemoryPanel } from "../panels/memory-panel.js";
import { button, h, iconButton, setText } from "../shared/dom.js";
import { InlineForm } from "../shared/inline-form.js";
import { languageSetting } from "./language-setting.js";
import { themeSetting } from "./theme-setting.js";
import { ToldSwitches } from "./told-switches.js";

const NAME_CHARS = 100;
const REOPENS = "settings";

export class SettingsDialog {
  #told;
  #name;
  #memory;
  #note = h("p", { class: "setting-note", role: "status" });
  #own; // where nobody logs in
  #account;
  #desk = h("a", { class: "text-button", href: "./desk" }, t`Operator desk`);
  #shown = null; // the person's name

  /**
   * @param {import("../../app/telling.js").Telling} telling
   * @param {{callMe(name: string): void, profile(): void, memory: object}} intents `memory` is what MemoryPanel needs
   */
  constructor(telling, { callMe, profile, memory }) {
    this.#told = new ToldSwitches(telling);
    const called = (name) => (callMe(name.trim()), setText(this.#note, t`Saved.`));
    this.#name = new InlineForm({ label: t`Your name`, placeholder: t`Your name`, limit: NAME_CHARS, done: called });
    const notes = h("section", { class: "memory" }, h("h3", {}, t`What is remembered about you`));
    this.#memory = new MemoryPanel(notes, memory);
    this.#own = h("div", {}, h("section", {}, h("h3", {}, t`Your name`), this.#name.element, this.#note), notes);
    this.#account = button("text-button", () => (this.element.close(), profile()), t`Your profile`);
    const close = iconButton("", t`Close`, "cross", () => this.element.close());
    this.element = h(
      "dialog",
      { class: "settings", "aria-labelledby": "settings-title", onclick: (event) => event.target === this.element && this.element.close() },
      h(
        "div",
        { class: "settings-content thin-scrollbar" },
        h("header", {}, h("h2", { id: "settings-title" }, t`Settings`), close),
        h("section", {}, h("h3", {}, t`Appearance`), themeSetting(), languageSetting(() => tab.set(REOPENS, true))),
        this.#told.element,
        this.#own,
        h("section", { class: "settings-links" }, this.#account, this.#desk),
      ),
    );
  }

  /** @param {"theme"|"language"} [setting] the one to go to */
  open(setting) {
    setText(this.#note, "");
    this.#told.update();
    this.element.showModal();
    if (setting) this.element.querySelector(`.${setting}-setting :is(select, :checked)`).focus();
    this.refresh();
  }

  /** Opens it again after the page was loaded in another language. */
  reopen() {
    if (tab.get(REOPENS)) this.open("language");
    tab.remove(REOPENS);
  }

  /** Looks what is remembered by now. */
  refresh() {
    if (this.element.open && !this.#own.hidden) this.#memory.refresh();
  }

  /** @param {string} name the person's on this device @param {import("../../app/account.js").Account} account */
  update(name, account) {
    if (this.element.open) this.#told.update(); // asking for the permission waits for the browser
    if (name !== this.#shown) this.#name.value = this.#shown = name;
    this.#own.hidden = account.isKnown;
    this.#account.hidden = !account.isKnown;
    this.#desk.hidden = !account.isOperator;
    this.#desk.parentElement.hidden = this.#account.hidden && this.#desk.hidden;
  }
}
