/** One field in the place of what it changes: Enter saves, Escape gives up, a problem is said below it. */

import { button, fitHeight, h, setAttribute, setText } from "./dom.js";

/** What Enter does differs: in a line and in words it saves (with Shift it breaks the line), in code Ctrl is needed. */
const KINDS = {
  line: () => h("input", { type: "text", autocomplete: "off" }),
  password: () => h("input", { type: "password", autocomplete: "off" }),
  words: () => h("textarea", { rows: 1, autocomplete: "off", dir: "auto" }),
  code: () => h("textarea", { rows: 1, autocomplete: "off", spellcheck: "false" }),
};

let count = 0;

export class InlineForm {
  #kind;
  #field;
  #save;
  #actions;
  #problem = h("p", { class: "field-problem", role: "alert", id: `problem-${++count}` });

  /**
   * @param {{kind?: keyof KINDS, label: string, value?: string, save?: string, limit?: number, placeholder?: string,
   *   done(value: string): string|void, cancel?(): void}} options `done` returns what is wrong, or nothing
   */
  constructor({ kind = "line", label, value = "", save = "Save", limit, placeholder, done, cancel }) {
    this.#kind = kind;
    this.#field = KINDS[kind]();
    this.#field.value = value;
    const attributes = { "aria-label": label, "aria-describedby": this.#problem.id, maxlength: limit, placeholder };
    for (const [name, each] of Object.entries(attributes)) setAttribute(this.#field, name, each);
    this.#field.classList.add("field");
    this.#field.addEventListener("input", () => (this.explain(""), this.#fit()));
    this.#save = h("button", { type: "submit", class: "solid-button" }, save);
    const giveUp = cancel ? button("quiet-button", cancel, "Cancel") : null;
    this.#actions = h("div", { class: "field-actions" }, giveUp, this.#save);
    this.element = h(
      "form",
      {
        class: "inline-form",
        "data-kind": kind,
        onsubmit: (event) => (event.preventDefault(), this.#submit(done)),
        onkeydown: (event) => this.#pressed(event, cancel),
      },
      this.#field,
      this.#actions,
      this.#problem,
    );
  }

  focus() {
    this.#fit();
    this.#field.focus();
    if (this.#kind === "line") this.#field.select();
  }

  clear() {
    this.#field.value = "";
    this.#fit();
  }

  set value(value) {
    this.#field.value = value;
  }

  set isDisabled(isDisabled) {
    this.#field.disabled = this.#save.disabled = isDisabled;
  }

  /** Says what is wrong, or that nothing is. */
  explain(problem) {
    setText(this.#problem, problem);
    this.#field.setAttribute("aria-invalid", Boolean(problem));
  }

  #submit(done) {
    const problem = done(this.#field.value);
    if (!problem) return;
    this.explain(problem);
    this.#field.focus({ preventScroll: true });
  }

  #pressed(event, cancel) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape" && cancel) {
      event.stopPropagation(); // it stops no turn
      cancel();
    }
    const isSaving = this.#kind === "code" ? event.ctrlKey || event.metaKey : !event.shiftKey;
    if (event.key !== "Enter" || event.target !== this.#field || !isSaving) return;
    event.preventDefault();
    if (!this.#save.disabled) this.element.requestSubmit();
  }

  #fit() {
    if (this.#field.localName === "textarea") fitHeight(this.#field);
  }
}
