/** Forms with labels above their fields. What the server refuses is shown in place. */

import { t } from "../../core/words.js";
import { button, h, icon, setAttribute, setText } from "./dom.js";

let count = 0;

/** A field with its label. */
export class Field {
  /** @param {{label: string, hint?: string}} options and the attributes of the `<input>` */
  constructor({ label, hint = "", ...attributes }) {
    const id = `labelled-${++count}`;
    this.input = this.create({ id, class: "field", "aria-describedby": hint ? `${id}-hint` : null, ...attributes });
    const about = hint ? h("p", { class: "field-hint", id: `${id}-hint` }, hint) : null;
    this.element = h("div", { class: "labelled-field" }, h("label", { for: id }, label), this.box(), about);
  }

  get value() {
    return this.input.value;
  }

  set value(value) {
    this.input.value = value;
  }

  create(attributes) {
    return h("input", { type: "text", autocomplete: "off", ...attributes });
  }

  /** The element below the label. */
  box() {
    return this.input;
  }
}

/** A field for a login name, which phones neither capitalize nor correct. */
export class LoginField extends Field {
  constructor(options = {}) {
    const attributes = { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 200 };
    super({ label: t`Login name`, required: true, ...attributes, ...options });
  }
}

/** A field for a password, which can be made visible. */
export class PasswordField extends Field {
  create(attributes) {
    return h("input", { type: "password", required: true, maxlength: 2000, ...attributes });
  }

  box() {
    this.eye = button("icon-button", () => this.show(this.input.type === "password"), icon("eye"));
    this.show(false);
    return h("div", { class: "field-with-button" }, this.input, this.eye);
  }

  show(isShown) {
    const name = isShown ? t`Hide password` : t`Show password`;
    this.input.type = isShown ? "text" : "password";
    for (const attribute of ["aria-label", "title"]) setAttribute(this.eye, attribute, name);
    setAttribute(this.eye, "aria-pressed", isShown);
  }
}

/** A choice between a few values. */
export class SelectField extends Field {
  create({ options, ...attributes }) {
    return h("select", attributes, ...options.map(([value, words]) => h("option", { value }, words)));
  }
}

export class Form {
  #problem = h("p", { class: "field-problem", role: "alert" });
  #fields;
  #save;
  #words;
  #timer = null;

  /**
   * @param {{note?: string, fields: Field[], save: string, isDanger?: boolean, cancel?(): void, done(): Promise}} options
   *   `done` rejects with the reason why it did not work, and perhaps the seconds to wait: `retryAfter`
   */
  constructor({ note, fields, save, isDanger = false, cancel, done }) {
    this.#fields = fields;
    this.#words = save;
    this.#save = h("button", { type: "submit", class: `solid-button ${isDanger ? "danger-button" : ""}` }, save);
    const keep = cancel ? button("quiet-button", cancel, t`Cancel`) : null;
    this.element = h(
      "form",
      { class: "labelled-form", onsubmit: (event) => (event.preventDefault(), this.#submit(done)) },
      note ? h("p", {}, note) : null,
      ...fields.map(({ element }) => element),
      this.#problem,
      h("div", { class: "field-actions" }, keep, this.#save),
    );
  }

  focus() {
    this.#fields[0].input.focus();
  }

  // Internal

  async #submit(done) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#explain("");
    for (const field of this.#fields) field.show?.(false);
    try {
      await done();
      this.#isBusy = false;
    } catch (error) {
      this.#isBusy = false;
      this.#explain(error.message);
      this.#fields.at(-1).input.focus();
      if (error.retryAfter) this.#wait(error.retryAfter);
    }
  }

  /** The button keeps the focus meanwhile, as it wouldn't if it were disabled. */
  get #isBusy() {
    return this.#save.getAttribute("aria-disabled") === "true";
  }

  set #isBusy(isBusy) {
    this.#save.setAttribute("aria-disabled", isBusy);
  }

  #explain(problem) {
    setText(this.#problem, problem);
    for (const { input } of this.#fields) setAttribute(input, "aria-invalid", problem ? "true" : null);
  }

  /** Lets nobody try again until so many seconds have passed. */
  #wait(seconds) {
    clearTimeout(this.#timer);
    this.#isBusy = seconds > 0;
    setText(this.#save, seconds > 0 ? t`Wait ${seconds} s` : this.#words);
    if (seconds > 0) this.#timer = setTimeout(() => this.#wait(seconds - 1), 1000);
  }
}
