/** The message field. It always accepts text, even while an answer streams in or the connection is down. */

import { codePoints } from "../../core/session/turns.js";
import { tab } from "../../transport/storage.js";
import { fitHeight, setText } from "../shared/dom.js";

const NEARLY_FULL = 0.9;

export class Composer {
  #form;
  #field;
  #send;
  #stop;
  #note;
  #limit = Infinity;
  #isReady = false;
  #length = 0; // characters written
  #draft = null; // storage key of this conversation's draft

  /** @param {{send(text: string): void, stop(): void, wrote(isWriting: boolean): void}} intents */
  constructor(form, intents) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#send = form.querySelector(".send-button");
    this.#stop = form.querySelector(".stop-button");
    this.#note = form.querySelector(".composer-note");
    form.addEventListener("submit", (event) => (event.preventDefault(), this.#submit(intents)));
    this.#field.addEventListener("input", () => (this.#changed(), intents.wrote(this.#length > 0)));
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    this.#stop.addEventListener("click", () => (intents.stop(), this.focus()));
  }

  /** @param {{isHidden: boolean, placeholder: string, limit: number, isReady: boolean, isRunning: boolean,
   *   isStopping: boolean}} now */
  update({ isHidden, placeholder, limit, isReady, isRunning, isStopping }) {
    this.#form.hidden = isHidden;
    this.#field.placeholder = placeholder;
    this.#limit = limit;
    this.#isReady = isReady;
    this.#validate();
    this.#stop.hidden = !isRunning;
    this.#stop.disabled = isStopping;
  }

  /** Switches to the draft of another conversation. */
  openDraft(key) {
    this.#draft = key;
    this.#field.value = tab.get(key, "");
    this.#changed();
  }

  /** Renames the draft once its conversation has an id; the text stays in the field. */
  renameDraft(key) {
    tab.remove(this.#draft);
    this.#draft = key;
    this.#changed();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  // Internal

  #submit({ send, wrote }) {
    if (this.#send.disabled) return;
    const text = this.#field.value;
    this.#field.value = "";
    this.#changed();
    wrote(false);
    send(text);
    this.focus();
  }

  #pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #changed() {
    const text = this.#field.value;
    if (text) tab.set(this.#draft, text);
    else tab.remove(this.#draft);
    this.#length = text.trim() ? codePoints(text) : 0;
    this.#validate();
    fitHeight(this.#field);
  }

  /** Updates the Send button and the note on length. Text that is too long is neither sent nor cut. */
  #validate() {
    const excess = this.#length - this.#limit;
    const isNearlyFull = this.#length > this.#limit * NEARLY_FULL;
    this.#send.disabled = !this.#isReady || this.#length === 0 || excess > 0;
    this.#field.setAttribute("aria-invalid", excess > 0);
    setText(this.#note, excess > 0 ? tooLong(excess) : isNearlyFull ? remaining(this.#limit - this.#length) : "");
  }
}

function tooLong(excess) {
  const unit = excess === 1 ? "character" : "characters";
  return `Too long by ${excess.toLocaleString("en")} ${unit}. Shorten it to send it.`;
}

function remaining(count) {
  return `Room for ${count.toLocaleString("en")} more`;
}
