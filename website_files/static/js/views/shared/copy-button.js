/** A button that copies a text and shows whether it worked. */

import { t } from "../../core/words.js";
import { h, icon } from "./dom.js";

const SHOWN = 1600; // ms

export class CopyButton {
  #read;
  #readHtml;
  #words;
  #label = h("span", {});
  #timer = null;

  /**
   * @param {() => string} read returns the text to copy
   * @param {() => string} readHtml returns the same for programs that take rich text, if there is such a form
   */
  constructor(read, name, words = t`Copy`, readHtml = null) {
    this.#read = read;
    this.#readHtml = readHtml;
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
    const isDone = await copy(this.#read(), this.#readHtml?.());
    this.element.dataset.copied = isDone;
    this.#label.textContent = isDone ? t`Copied` : t`Not allowed`;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reset(), SHOWN);
  }

  #reset() {
    delete this.element.dataset.copied;
    this.#label.textContent = this.#words;
  }
}

async function copy(text, html) {
  try {
    if (html) await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob(text), "text/html": blob(html, "html") })]);
    else await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // pages served over plain HTTP from another computer have no clipboard
  }
}

function blob(text, kind = "plain") {
  return new Blob([text], { type: `text/${kind}` });
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
