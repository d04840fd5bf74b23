/** The line above the message field: which question the text answers, and the choice to send it as a message instead. */

import { MESSAGE, answerTarget, verdictOf } from "../../core/session/answer-target.js";
import { displayName, shorten } from "../../core/format.js";
import { humanPrompt, repliesTo } from "../../core/session/questions.js";
import { t } from "../../core/words.js";
import { draftKey } from "../../transport/drafts.js";
import { button, h, icon, setText } from "../shared/dom.js";

const ANSWER_CHARS = 60; // of a question

export class Answering {
  target = { kind: "message", question: null, questions: [] };
  #chosen = null; // the id of a question, MESSAGE, or null
  #isKept = false; // whether a message that was begun before the question stays one
  #sent = null; // the answer that the server may still refuse: {requestId, text}
  #composer;
  #intents;
  #sessionId = null;
  #text = h("span", { class: "one-line", id: "answer-line-words", dir: "auto" });
  #words = button("answer-line-words", () => this.#show(), icon("question"), this.#text);
  #choice = h("select", { class: "field answer-line-choice", onchange: () => this.choose(this.#choice.value) });
  #field = button("text-button", () => this.#show(), "");
  #switch = button("text-button answer-line-switch", () => this.#switched(), "");

  /** @param {import("./composer.js").Composer} composer
   *  @param {{answer(requestId: string, answer: object): boolean, message(text: string): void, changed(): void,
   *   show(requestId: string): void}} intents `show` goes to a question's card */
  constructor(element, composer, intents) {
    this.element = element;
    this.#composer = composer;
    this.#intents = intents;
    element.append(this.#words, this.#choice, this.#field, this.#switch);
  }

  /** Sends the composer's text to where it belongs. Returns why it cannot be sent, if it cannot. */
  send(text) {
    const { kind, question } = this.target;
    if (kind === "password") return t`A password goes into its own field.`;
    if (kind === "message") {
      this.#chosen = null;
      return void this.#intents.message(text);
    }
    const answer = kind === "verdict" ? verdictOf(text) : text;
    if (answer === null) return t`Begin with yes or no; a no can go on with why. Or send it as a new message.`;
    this.#sent = { requestId: question.requestId, text };
    this.#intents.answer(question.requestId, { text: answer });
    return "";
  }

  /** Answers this question from now on, or with MESSAGE none. The text moves along. */
  choose(chosen) {
    this.#chosen = chosen;
    this.#isKept = false;
    this.#intents.changed();
    this.#composer.focus();
  }

  /** Somebody wrote. Once a message begun before the question is gone, the composer answers. */
  wrote(isWriting) {
    if (isWriting || !this.#isKept) return;
    this.#isKept = false;
    this.#chosen = null;
    this.#intents.changed();
  }

  /** @param {import("../../core/session/session-state.js").State|undefined} state */
  update(state) {
    const before = this.target;
    const sessionId = state?.sessionId ?? null;
    const isOther = sessionId !== this.#sessionId;
    this.#sessionId = sessionId;
    if (isOther) this.#chosen = null;
    let target = answerTarget(state, this.#chosen);
    if (target.questions.length === 0) this.#chosen = null;
    else if (this.#chosen === null && before.questions.length === 0 && /\S/.test(this.#composer.text)) {
      this.#chosen = MESSAGE;
      this.#isKept = true;
      target = answerTarget(state, MESSAGE);
    }
    this.target = target;
    if (state && !isOther) this.#moveDraft(before, target);
    else if (isAnswer(target)) this.#openDraft(target);
    this.#takeBack(target);
    this.#draw(target);
  }

  /** Attributes of the message field while it answers a question; none otherwise. */
  get field() {
    const { kind, question } = this.target;
    if (kind === "message") return {};
    const name = displayName(question.agent);
    if (kind === "password") return { placeholder: t`The password has a field of its own`, isReadOnly: true };
    const label = t`Answer to ${name}: ${shorten(asked(question), ANSWER_CHARS)}`;
    if (kind === "verdict") return { label, placeholder: t`Yes, or no and why` };
    return { label, placeholder: t`Answer ${name}` };
  }

  // Internal

  #show() {
    this.#intents.show(this.target.question.requestId);
  }

  #switched() {
    const { kind, question } = this.target;
    this.choose(kind === "message" ? question.requestId : MESSAGE);
  }

  /** What was written for a question that is answered otherwise becomes a message; a choice takes the text along. */
  #moveDraft(before, target) {
    const [from, to] = [before, target].map((each) => (isAnswer(each) ? each.question.requestId : null));
    if (from === to) return;
    if (this.#composer.text) this.#composer.moveDraft(draftKey(this.#sessionId, to));
    else this.#composer.openDraft(draftKey(this.#sessionId, to));
  }

  /** Puts an answer that was refused back into the field. */
  #takeBack({ question }) {
    if (!this.#sent || question?.requestId !== this.#sent.requestId || question.error === null) return;
    if (!this.#composer.text) this.#composer.write(this.#sent.text);
    this.#sent = null;
  }

  #openDraft(target) {
    this.#composer.openDraft(draftKey(this.#sessionId, target.question.requestId));
  }

  #draw({ kind, question, questions }) {
    this.element.hidden = !question;
    if (!question) return;
    this.element.dataset.kind = kind;
    setText(this.#text, words(kind, question));
    this.#words.title = t`Show the question`;
    const isSeveral = questions.length > 1 && kind !== "message";
    this.#choice.hidden = !isSeveral;
    this.#words.classList.toggle("visually-hidden", isSeveral);
    if (isSeveral) this.#drawChoice(questions, question);
    this.#field.hidden = kind !== "password";
    setText(this.#field, t`Go to its field`);
    setText(this.#switch, kind === "message" ? t`Answer instead` : t`Send as a new message`);
  }

  #drawChoice(questions, { requestId }) {
    const key = questions.map((each) => each.requestId).join();
    if (this.#choice.dataset.key !== key) {
      const option = (each) => h("option", { value: each.requestId }, words("answer", each));
      this.#choice.replaceChildren(...questions.map(option));
      this.#choice.dataset.key = key;
      this.#choice.setAttribute("aria-label", t`Question to answer`);
    }
    this.#choice.value = requestId;
  }
}

function isAnswer({ kind }) {
  return kind === "answer" || kind === "verdict";
}

function asked({ prompt, tool }) {
  return tool ? t`${tool.name} waits for your yes` : humanPrompt(prompt);
}

function words(kind, question) {
  const name = repliesTo(question.prompt) ?? displayName(question.agent);
  if (kind === "message") return t`New message; ${name} waits`;
  if (kind === "password") return t`${name} asks for a password`;
  return t`Answers ${name}: ${shorten(asked(question), ANSWER_CHARS)}`;
}
