/** The message field. It always accepts text, even while an answer streams in or the connection is down. */

import { t, tn } from "../../core/words.js";
import { codePoints } from "../../core/session/turns.js";
import { keepDraft, keepDraftSoon, readDraft, storeDrafts, whenDraftChanges } from "../../transport/drafts.js";
import { fitHeight, setAttribute, setText } from "../shared/dom.js";

const NEARLY_FULL = 0.9;
const LONG = 5_000; // characters that fill the field at any width; they are not measured at each key
const TYPING = 2_000; // ms after the last key during which another tab's text stays away
const TOUCH = matchMedia("(hover: none) and (pointer: coarse)"); // Enter breaks the line there

export class Composer {
  #form;
  #field;
  #label;
  #send;
  #stop;
  #note;
  #intents;
  #limit = Infinity;
  #hasFiles = false; // that go with the message, which may then have no words
  #isReady = false;
  #length = 0; // characters written; where there is room for all, UTF-16 units
  #waiting = ""; // what sending waits for
  #problem = ""; // why the text was not sent
  #draft = null; // storage key of this conversation's draft
  #typedAt = -Infinity;

  /** @param {{send(text: string): string|null|void, stop(): void, wrote(isWriting: boolean): void,
   *   pressed?(event: KeyboardEvent, text: string): boolean, changed?(text: string): void}} intents
   *   `send` returns why the text cannot be sent, if it cannot, and null if it is sent later; `pressed` returns whether it has handled a key */
  constructor(form, intents) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#label = form.querySelector("label");
    this.#send = form.querySelector(".send-button");
    this.#stop = form.querySelector(".stop-button");
    this.#note = form.querySelector(".composer-note");
    this.#intents = intents;
    this.#field.enterKeyHint = TOUCH.matches ? "enter" : "send";
    form.addEventListener("submit", (event) => (event.preventDefault(), this.#submit()));
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    this.#stop.addEventListener("click", () => (intents.stop(), this.focus()));
    whenDraftChanges((key, text) => key === this.#draft && this.#changedElsewhere(text));
    addEventListener("pagehide", storeDrafts);
    document.addEventListener("visibilitychange", () => document.hidden && storeDrafts());
  }

  get text() {
    return this.#field.value;
  }

  get isFocused() {
    return document.activeElement === this.#field;
  }

  /** @param {{isHidden: boolean, label?: string, placeholder: string, limit: number, isReady: boolean,
   *   isRunning: boolean, isStopping: boolean, isReadOnly?: boolean, note?: string, hasFiles?: boolean}} now */
  update({
    isHidden, label = t`Message`, placeholder, limit, isReady, isRunning, isStopping, isReadOnly = false, note = "",
    hasFiles = false,
  }) {
    this.#form.hidden = isHidden;
    setText(this.#label, label);
    setAttribute(this.#field, "placeholder", placeholder);
    this.#field.readOnly = isReadOnly;
    this.#isReady = isReady && !isReadOnly;
    this.#hasFiles = hasFiles;
    this.#waiting = note;
    if (limit !== this.#limit) {
      this.#limit = limit;
      this.#measure();
    }
    this.#validate();
    this.#stop.hidden = !isRunning;
    this.#stop.disabled = isStopping;
  }

  /** Switches to another draft. Text that was there before any draft, typed while the page was loading, stays. */
  openDraft(key) {
    const early = this.#draft === null ? this.#field.value : "";
    if (key !== this.#draft) storeDrafts();
    this.#draft = key;
    this.#set([readDraft(key), early].filter(Boolean).join("\n\n"));
    if (early) keepDraftSoon(key, this.#field.value);
  }

  /** Keeps the text under another key, together with what is there already. */
  moveDraft(key) {
    if (key === this.#draft) return;
    const text = [readDraft(key), this.#field.value].filter(Boolean).join("\n\n");
    keepDraft(this.#draft, "");
    keepDraft(key, text);
    this.#draft = key;
    if (text !== this.#field.value) this.#set(text);
  }

  /** Replaces the text, as if it were typed. */
  write(text) {
    this.#set(text);
    keepDraft(this.#draft, text);
    this.#intents.wrote(this.#length > 0);
  }

  /** Sends what is written, as the Send button does. */
  submit() {
    this.#submit();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  // Internal

  #submit() {
    if (this.#send.disabled) return;
    const problem = this.#intents.send(this.#field.value);
    if (problem === null) return;
    if (problem) {
      this.#problem = problem;
      return this.#validate();
    }
    this.write("");
    this.focus();
  }

  #pressed(event) {
    if (event.isComposing || event.keyCode === 229) return; // keys of an input method
    if (this.#intents.pressed?.(event, this.#field.value)) return event.preventDefault();
    const breaksLine = event.shiftKey || event.altKey || (TOUCH.matches && !event.ctrlKey && !event.metaKey);
    if (event.key !== "Enter" || breaksLine) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #typed() {
    this.#typedAt = performance.now();
    this.#changed();
    keepDraftSoon(this.#draft, this.#field.value);
    this.#intents.wrote(this.#length > 0);
  }

  /** Shows what was written in another tab, unless somebody is writing here. */
  #changedElsewhere(text) {
    const isTyping = this.isFocused && performance.now() - this.#typedAt < TYPING;
    if (!isTyping) this.#set(text);
  }

  #set(text) {
    if (this.#field.value !== text) this.#field.value = text;
    this.#changed();
  }

  #changed() {
    this.#problem = "";
    this.#measure();
    this.#validate();
    if (this.#field.value.length > LONG) this.#field.style.setProperty("height", "100vh"); // its style limits it
    else fitHeight(this.#field);
    this.#intents.changed?.(this.#field.value);
  }

  /** Counts characters only where they may be too many: counting takes time. */
  #measure() {
    const text = this.#field.value;
    if (!/\S/.test(text)) this.#length = 0;
    else this.#length = text.length <= this.#limit * NEARLY_FULL ? text.length : codePoints(text);
  }

  /** Updates the Send button and the note. Text that is too long is neither sent nor cut. */
  #validate() {
    const excess = this.#length - this.#limit;
    const isNearlyFull = this.#length > this.#limit * NEARLY_FULL;
    this.#send.disabled = !this.#isReady || (this.#length === 0 && !this.#hasFiles) || excess > 0;
    setAttribute(this.#field, "aria-invalid", String(excess > 0 || Boolean(this.#problem)));
    const room = isNearlyFull ? t`Room for ${this.#limit - this.#length} more` : "";
    setText(this.#note, excess > 0 ? tooLong(excess) : this.#problem || this.#waiting || room);
  }
}

function tooLong(excess) {
  return tn(
    excess,
    "Too long by {n} character. Shorten it to send it.",
    "Too long by {n} characters. Shorten it to send it.",
  );
}
