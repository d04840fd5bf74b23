/** Feedback on an answer: two buttons to rate it, a form that asks what was wrong, and what others think of it. */

import { ratingWords } from "../../core/session/feedback.js";
import { t } from "../../core/words.js";
import { h, iconButton, setAttribute, setText } from "../shared/dom.js";
import { InlineForm, noConnection } from "../shared/inline-form.js";

const COMMENT_CHARS = 2000;

/** An answer's feedback. `buttons` go into the row of actions below it, `element` above that row. */
export class Feedback {
  #good = iconButton("rate-button", t`Good answer`, "thumb-up", () => this.#press(1));
  #bad = iconButton("rate-button", t`Bad answer`, "thumb-down", () => this.#press(-1));
  #words = h("p", { class: "feedback-words clamp", dir: "auto" });
  #form = null; // while asking what was wrong
  #item = null;
  #mine = null;
  #rate;
  buttons = h("div", { class: "rate-buttons" }, this.#good, this.#bad);
  element = h("div", { class: "feedback" }, this.#words);

  /** @param {(seq: number, score: number, comment: string) => boolean} rate returns whether it was sent */
  constructor(rate) {
    this.#rate = rate;
  }

  /** @param {import("../../core/session/session-state.js").Answer & {canRate?: boolean, isOnline?: boolean, me?: string}} item */
  update(item) {
    const { ratings = [], canRate = false, isOnline = false, me } = item;
    this.#item = item;
    this.#mine = (canRate && ratings.find(({ name }) => name === me)) || null;
    this.buttons.hidden = !canRate;
    if (!canRate && this.#form) this.#close();
    this.#updateButton(this.#good, t`Good answer`, 1, isOnline);
    this.#updateButton(this.#bad, t`Bad answer`, -1, isOnline);
    const words = ratings.filter((rating) => rating !== this.#mine).map(ratingWords);
    setText(this.#words, words.join(" · "));
    this.#words.title = words.join("\n");
    this.#words.hidden = words.length === 0;
  }

  #updateButton(button, name, score, isOnline) {
    const isPressed = this.#mine?.score === score;
    const comment = isPressed ? this.#mine.comment : "";
    setAttribute(button, "aria-pressed", String(isPressed));
    setAttribute(button, "title", [name, comment].filter(Boolean).join(": "));
    button.disabled = !isOnline;
  }

  /** Rates the answer, or withdraws the rating if it is the one pressed. */
  #press(score) {
    const isWithdrawal = this.#mine?.score === score;
    if (this.#form) this.#close();
    const isSent = this.#rate(this.#item.seq, isWithdrawal ? 0 : score, "");
    if (isSent && score < 0 && !isWithdrawal) this.#ask();
  }

  #ask() {
    this.#form = new InlineForm({
      label: t`What was wrong? (optional)`,
      placeholder: t`What was wrong? (optional)`,
      save: t`Send`,
      cancelWords: t`Skip`,
      limit: COMMENT_CHARS,
      done: (comment) => this.#comment(comment.trim()),
      cancel: () => this.#done(),
    });
    this.element.append(this.#form.element);
    this.#form.focus();
  }

  #comment(comment) {
    if (comment && !this.#rate(this.#item.seq, -1, comment)) return noConnection();
    this.#done();
    return "";
  }

  #done() {
    this.#close();
    this.#bad.focus({ preventScroll: true });
  }

  #close() {
    this.#form.element.remove();
    this.#form = null;
  }
}
