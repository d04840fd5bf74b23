/** A person's message as a bubble, with its delivery status and the actions that are possible. */

import { shorten } from "../../core/format.js";
import { personName } from "../../core/session/participants.js";
import { t, tn } from "../../core/words.js";
import { Prose } from "../prose/prose.js";
import { button, h, icon, iconButton, setText, setTime } from "../shared/dom.js";
import { InlineForm, noConnection } from "../shared/inline-form.js";
import { AttachedFiles } from "./attached-files.js";

const NOTES = {
  pending: (isOnline) => (isOnline ? t`Sending…` : t`Waits for the connection`),
  unsent: () => t`Not sent`,
  refused: () => t`Not sent`,
  queued: (isOnline, ahead) => (ahead ? tn(ahead, "Waits for {n} other turn", "Waits for {n} other turns") : t`Waits for its turn`),
};

export class PersonMessage {
  #name = h("div", { class: "message-name", dir: "auto" });
  #prose = new Prose();
  #files = new AttachedFiles();
  #withdrawn = h("span", {});
  #text = h("div", { class: "bubble", dir: "auto" }, this.#prose.element, this.#withdrawn);
  #time = h("time", { class: "message-time" });
  #note = h("span", { class: "message-note" });
  #versions = h("span", { class: "message-versions" });
  #edit = iconButton("message-edit", t`Edit`, "edit", () => this.#open());
  #side = h("div", { class: "message-side" }, this.#edit, this.#time);
  #resend;
  #withdraw;
  #sendNow;
  #meta;
  #form = null; // while the message is being edited
  #isSent = false; // the edited text is on its way to the server
  #turn = null;
  #intents;

  /** @param {{resend(): void, edit(seq: number, text: string): boolean, withdraw(turn: number): void, stop(): void,
   *   refocus(): void}} intents `refocus` moves the focus back to the composer */
  constructor(intents) {
    this.#intents = intents;
    this.#resend = button("text-button", intents.resend, icon("again"), t`Try again`);
    this.#sendNow = button("text-button send-now", intents.stop, t`Send now`);
    this.#sendNow.title = t`Stops the running answer; this comes next`;
    this.#withdraw = button("text-button withdraw", () => intents.withdraw(this.#turn.number), t`Withdraw`);
    const buttons = [this.#resend, this.#sendNow, this.#withdraw];
    this.#meta = h("div", { class: "message-meta" }, this.#versions, this.#note, ...buttons);
    this.element = h(
      "article",
      { class: "message", "data-role": "person" },
      this.#name, this.#side, this.#text, this.#files.element, this.#meta,
    );
  }

  /** @param {import("../../core/session/session-state.js").Turn & {can: Set<string>}} turn */
  update(turn) {
    const { message, status, can, versions, ahead } = turn;
    const state = NOTES[status] ? status : status === "withdrawn" ? status : "done";
    const name = can.has("named") && message.name ? personName(message.name) : "";
    this.#turn = turn;
    if (state === "withdrawn" && this.#form) this.#close();
    if (this.#isSent) this.#updateForm(turn.edit);
    this.element.dataset.state = state === "unsent" ? "pending" : state;
    this.element.setAttribute("aria-label", name || t`You`);
    this.element.classList.toggle("queue-entry", state === "queued");
    const isWithdrawn = state === "withdrawn";
    if (!isWithdrawn) this.#prose.update(message.text);
    this.#prose.element.hidden = isWithdrawn;
    this.#text.hidden = !isWithdrawn && !message.text && Boolean(message.attachments);
    this.#files.update(isWithdrawn ? [] : message.attachments);
    setText(this.#withdrawn, isWithdrawn ? t`Withdrawn: ${shorten(message.text, 120)}` : "");
    setText(this.#name, name);
    this.#name.hidden = !name || state === "withdrawn";
    setTime(this.#time, message.ts);
    this.#updateMeta(state, can, versions, ahead);
  }

  #updateMeta(state, can, versions, ahead) {
    setText(this.#note, NOTES[state]?.(can.has("online"), ahead) ?? "");
    setText(this.#versions, versions ? tn(versions, "{n} earlier version", "{n} earlier versions") : "");
    this.#resend.hidden = state !== "unsent" && state !== "refused";
    this.#edit.hidden = !can.has("edit");
    this.#withdraw.hidden = !can.has("withdraw");
    this.#sendNow.hidden = !can.has("send-now");
    this.#meta.hidden = !this.#note.textContent && !this.#versions.textContent;
    for (const each of [this.#edit, this.#withdraw, this.#sendNow]) each.disabled = !can.has("online");
  }

  #open() {
    if (this.#form) return;
    this.#form = new InlineForm({
      kind: "words",
      label: t`Your message`,
      value: this.#turn.message.text,
      save: t`Send`,
      done: (text) => this.#save(text),
      cancel: () => (this.#close(), this.#edit.focus()),
    });
    this.#text.replaceWith(this.#form.element);
    this.element.classList.add("is-edited");
    this.#form.focus();
  }

  #save(text) {
    const { seq, text: before, attachments } = this.#turn.message;
    if (!text.trim() && !attachments) return t`Write something, or withdraw the message.`;
    if (text === before) this.#close();
    else {
      this.#isSent = this.#form.isDisabled = true;
      if (!this.#intents.edit(seq, text)) {
        this.#isSent = this.#form.isDisabled = false;
        return noConnection();
      }
    }
    this.#intents.refocus();
    return "";
  }

  /** Keeps the form until the server has taken the text; if it refuses, the text can be sent again. */
  #updateForm(edit) {
    if (!edit) this.#close();
    else if (edit.error !== null) {
      this.#isSent = this.#form.isDisabled = false;
      this.#form.explain(edit.error);
    }
  }

  #close() {
    this.#form.element.replaceWith(this.#text);
    this.#form = null;
    this.#isSent = false;
    this.element.classList.remove("is-edited");
  }
}
