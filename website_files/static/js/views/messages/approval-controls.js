/** Yes, no, or yes with other arguments. */

import { button, h, setText } from "../shared/dom.js";
import { pretty } from "../../core/format.js";
import { InlineForm } from "../shared/inline-form.js";

export class ApprovalControls {
  #answer;
  #arguments = h("pre", { class: "approval-arguments", tabindex: 0, "aria-label": "Arguments" });
  #approve = button("solid-button", () => this.#answer({ text: "approve" }), "Approve");
  #deny = button("outline-button", () => this.#answer({ text: "deny" }), "Deny");
  #edit = button("quiet-button approval-edit", () => this.#open(), "Edit");
  #row = h("div", { class: "question-choices" }, this.#approve, this.#deny, this.#edit);
  #form = null;
  element = h("div", { class: "question-answer" }, this.#arguments, this.#row);

  /** @param {(answer: {text: string, arguments?: object}) => void} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  update({ tool, sending }) {
    setText(this.#arguments, pretty(tool.arguments) || "{}");
    for (const each of [this.#approve, this.#deny, this.#edit]) each.disabled = Boolean(sending);
    if (this.#form) this.#form.isDisabled = Boolean(sending);
  }

  clear() {
    this.#form?.clear();
  }

  #open() {
    this.#form = new InlineForm({
      kind: "code",
      label: "Arguments as JSON",
      value: this.#arguments.textContent,
      save: "Run with these",
      done: (text) => this.#run(text),
      cancel: () => this.#close(),
    });
    this.element.replaceChildren(this.#form.element);
    this.#form.focus();
  }

  #close() {
    this.#form = null;
    this.element.replaceChildren(this.#arguments, this.#row);
    this.#edit.focus();
  }

  #run(text) {
    try {
      const read = JSON.parse(text);
      const isObject = read !== null && typeof read === "object" && !Array.isArray(read);
      if (!isObject) return 'Arguments are an object: {"name": value}.';
      this.#answer({ text: "edit", arguments: read });
    } catch (error) {
      return `This is not JSON: ${error.message}`;
    }
    return "";
  }
}
