/** The arguments of a tool call that waits for a yes: as a list to read, and as a form to change them. */

import { argumentFields, readArguments } from "../../core/argument-fields.js";
import { pretty } from "../../core/format.js";
import { t } from "../../core/words.js";
import { button, fitHeight, h, setAttribute, setText } from "../shared/dom.js";

/** Shows each argument with its name. */
export function drawArguments(element, given) {
  const rows = Object.entries(given).flatMap(([name, value]) => [
    h("dt", { dir: "auto" }, name),
    h("dd", { dir: "auto" }, typeof value === "string" ? value : pretty(value)),
  ]);
  const list = h("dl", { class: "argument-list thin-scrollbar", tabindex: 0, "aria-label": t`Arguments` }, ...rows);
  element.replaceChildren(rows.length ? list : h("p", { class: "argument-none" }, t`No arguments`));
}

let count = 0;

/** A field for each argument, of its kind; or all of them as JSON. */
export class ArgumentsForm {
  #given;
  #done;
  #cancel;
  #fields; // {name, kind, input}
  #json = null; // the field with all of them
  #rows = h("div", { class: "argument-rows" });
  #problem = h("p", { class: "field-problem", role: "alert", id: `arguments-problem-${++count}` });
  #save = h("button", { type: "submit", class: "solid-button" }, t`Run with these`);
  #switch = button("quiet-button", () => this.#switched(), t`As JSON`);

  /** @param {object} given @param {{done(changed: object): void, cancel(): void}} intents */
  constructor(given, { done, cancel }) {
    this.#given = given;
    this.#done = done;
    this.#cancel = cancel;
    this.#showFields(given);
    this.element = h(
      "form",
      {
        class: "arguments-form",
        onsubmit: (event) => (event.preventDefault(), this.#submit()),
        onkeydown: (event) => this.#pressed(event),
      },
      this.#rows,
      this.#problem,
      h("div", { class: "field-actions" }, this.#switch, button("quiet-button", cancel, t`Cancel`), this.#save),
    );
  }

  focus() {
    const first = this.#rows.querySelector("textarea, input");
    for (const field of this.#rows.querySelectorAll("textarea")) fitHeight(field);
    (first ?? this.#save).focus();
  }

  clear() {}

  set isDisabled(isDisabled) {
    this.#save.disabled = this.#switch.disabled = isDisabled;
    for (const field of this.#rows.querySelectorAll("textarea, input")) field.disabled = isDisabled;
  }

  // Internal

  #submit() {
    const { values, problem } = this.#read();
    this.#explain(problem);
    if (!problem) this.#done(values);
  }

  #read() {
    const fields = this.#json
      ? [{ name: null, kind: "json", text: this.#json.value }]
      : this.#fields.map(({ name, kind, input }) => ({ name, kind, text: input.value, isOn: input.checked }));
    return readArguments(fields);
  }

  #explain({ name, words } = { words: "" }) {
    setText(this.#problem, words);
    for (const field of this.#fields) setAttribute(field.input, "aria-invalid", field.name === name && words ? "true" : null);
  }

  /** Shows the same values the other way, unless they cannot be read. */
  #switched() {
    const { values, problem } = this.#read();
    this.#explain(problem);
    if (problem) return;
    if (this.#json) this.#showFields(values);
    else this.#showJson(values);
    this.focus();
  }

  #showJson(values) {
    this.#json = this.#field("json", "arguments", pretty(values) || "{}");
    this.#json.setAttribute("aria-label", t`Arguments as JSON`);
    this.#rows.replaceChildren(this.#json);
    setText(this.#switch, t`As fields`);
  }

  #showFields(values) {
    this.#json = null;
    this.#fields = argumentFields(values, this.#given).map((each) => ({ ...each, input: this.#field(each.kind, each.name, each.text) }));
    this.#rows.replaceChildren(...this.#fields.map(({ name, input }) => h("label", { class: "argument-row" }, h("span", { dir: "auto" }, name), input)));
    setText(this.#switch, t`As JSON`);
  }

  #field(kind, name, text) {
    const about = { class: "field", "aria-describedby": this.#problem.id, autocomplete: "off" };
    if (kind === "boolean") return h("input", { type: "checkbox", checked: text === "true" });
    if (kind === "number") {
      const input = h("input", { ...about, type: "text", inputmode: "decimal" });
      input.value = text;
      return input;
    }
    const area = h("textarea", { ...about, rows: 1, dir: "auto", spellcheck: kind === "json" ? "false" : null, oninput: () => fitHeight(area) });
    area.value = text;
    return area;
  }

  #pressed(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") this.#cancel();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    else return;
    event.preventDefault();
  }
}
