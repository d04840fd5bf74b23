/** Small forms that replace the element they act on: one to edit a text, and one to confirm a deletion. */

import { t } from "../../core/words.js";
import { button, fitHeight, h, setAttribute, setText } from "./dom.js";

/** Enter saves, except in code, where it takes Ctrl or Cmd; in words, Shift+Enter breaks the line. */
const KINDS = {
  line: () => h("input", { type: "text", autocomplete: "off" }),
  password: () => h("input", { type: "password", autocomplete: "off" }),
  words: () => h("textarea", { rows: 1, autocomplete: "off", dir: "auto" }),
  code: () => h("textarea", { rows: 1, autocomplete: "off", spellcheck: "false" }),
};

/** Says that something was not sent. */
export function noConnection() {
  return t`You are offline. Try again once you are connected.`;
}

let count = 0;

/**
 * A form with a single field. Enter saves, and problems are shown below the field. Escape cancels, unless something
 * has been written in a field for longer texts: it leaves the field then, and the text stays.
 */
export class InlineForm {
  #kind;
  #field;
  #before; // the text to begin with
  #save;
  #actions;
  #problem = h("p", { class: "field-problem", role: "alert", id: `problem-${++count}` });

  /**
   * @param {{kind?: keyof KINDS, label: string, className?: string, value?: string, save?: string, limit?: number,
   *   placeholder?: string, cancelWords?: string, done(value: string): string|void, cancel?(): void}} options
   *   `done` returns a problem to show, or nothing
   */
  constructor({
    kind = "line", label, className = "", value = "", save = t`Save`, limit, placeholder, cancelWords = t`Cancel`, done, cancel,
  }) {
    this.#kind = kind;
    this.#field = KINDS[kind]();
    this.#field.value = this.#before = value;
    const attributes = { "aria-label": label, "aria-describedby": this.#problem.id, maxlength: limit, placeholder };
    for (const [name, each] of Object.entries(attributes)) setAttribute(this.#field, name, each);
    this.#field.classList.add("field");
    this.#field.addEventListener("input", () => (this.explain(""), this.#fit()));
    this.#save = h("button", { type: "submit", class: "solid-button" }, save);
    const cancelButton = cancel ? button("quiet-button", cancel, cancelWords) : null;
    this.#actions = h("div", { class: "field-actions" }, cancelButton, this.#save);
    this.element = h(
      "form",
      {
        class: `inline-form ${className}`,
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
    this.#field.value = this.#before = value;
  }

  set isDisabled(isDisabled) {
    this.#field.disabled = this.#save.disabled = isDisabled;
  }

  /** Shows a problem; an empty string clears it. */
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
    const isField = event.target === this.#field;
    const isWritten = this.#field.localName === "textarea" && this.#field.value !== this.#before;
    if (event.key === "Escape" && cancel && (isField || !isWritten)) {
      event.stopPropagation(); // or it would also close a panel
      event.preventDefault(); // or the popover or dialog around it
      if (isWritten) this.#actions.firstElementChild.focus();
      else cancel();
    }
    const isSaving = this.#kind === "code" ? event.ctrlKey || event.metaKey : !event.shiftKey;
    if (event.key !== "Enter" || !isField || !isSaving) return;
    event.preventDefault();
    if (!this.#save.disabled) this.element.requestSubmit();
  }

  #fit() {
    if (this.#field.localName === "textarea") fitHeight(this.#field);
  }
}

/** Asks for confirmation in place of the element that would be deleted. */
export class InlineConfirm {
  #problem = h("p", { class: "field-problem", role: "alert" });
  #keep;
  #act;

  /**
   * @param {{words: string, yes: string, no?: string, act(): Promise, cancel(): void}} options `act` rejects with the reason it failed;
   *   once it succeeds, the caller removes the question
   */
  constructor({ words, yes, no = t`Keep`, act, cancel }) {
    this.#act = button("solid-button danger-button", () => this.#do(act), yes);
    this.#keep = button("quiet-button", cancel, no);
    const pressed = (event) => event.key === "Escape" && (event.stopPropagation(), cancel());
    this.element = h(
      "div",
      { class: "form-box inline-confirm", role: "group", "aria-label": words, onkeydown: pressed },
      h("p", {}, words),
      this.#problem,
      h("div", { class: "field-actions" }, this.#keep, this.#act),
    );
  }

  focus() {
    this.#keep.focus();
  }

  #do(act) {
    this.#act.disabled = true;
    act().catch((error) => {
      this.#act.disabled = false;
      setText(this.#problem, error.message);
    });
  }
}
