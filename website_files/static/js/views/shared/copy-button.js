/** A button that copies a text and shows whether it worked. */

import { h, icon } from "./dom.js";

const SHOWN = 1600; // ms

export class CopyButton {
  #read;
  #words;
  #label = h("span", {});
  #timer = null;

  /** @param {() => string} read returns the text to copy */
  constructor(read, name, words = "Copy") {
    this.#read = read;
    this.#words = words;
    this.element = h(
      "button",
      { type: "button", class: "copy-button", "aria-label": name, title: name, onclick: () => this.#copy() },
      icon("copy"),
      icon("check"),
      this.#label,
    );
    this.#reset();
  }

  async #copy() {
    const isDone = await copy(this.#read());
    this.element.dataset.copied = isDone;
    this.#label.textContent = isDone ? "Copied" : "Not allowed";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reset(), SHOWN);
  }

  #reset() {
    delete this.element.dataset.copied;
    this.#label.textContent = this.#words;
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // pages served over plain HTTP from another computer have no clipboard
  }
}

function copyBySelection(text) {
  const before = document.activeElement;
  const field = h("textarea", { class: "visually-hidden", readonly: true, "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return isDone;
}
