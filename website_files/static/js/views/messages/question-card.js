/** A question from an agent, and the answer to it. Approving a tool call is a question with different controls. */

import { clock, displayName, shorten } from "../../core/format.js";
import { denial } from "../../core/session/answer-target.js";
import { personName } from "../../core/session/participants.js";
import { humanPrompt, repliesTo, verdict } from "../../core/session/questions.js";
import { timeLeft } from "../../core/time-left.js";
import { t } from "../../core/words.js";
import { button, h, icon, setText } from "../shared/dom.js";
import { InlineForm } from "../shared/inline-form.js";
import { ArgumentsForm, drawArguments } from "./arguments-form.js";

const CODE = "execute_code"; // the name under which AG2's execution of code is asked about

export class QuestionCard {
  #title = h("h2", { class: "question-title" });
  #prompt = h("p", { class: "question-prompt", dir: "auto" });
  #controls = null; // only while the question can be answered
  #place = h("div", { class: "question-controls" });
  #note = h("p", { class: "question-note" });
  #problem = h("p", { class: "field-problem", role: "alert" });
  #left = h("span", { class: "question-left", role: "timer" });
  #timer = null;
  #intents;

  /** @param {{answer(requestId: string, answer: object): boolean, refocus(): void, write?(requestId: string): void}}
   *   intents `refocus` moves the focus back to the composer, `write` lets it answer this question */
  constructor(question, intents) {
    const { requestId, tool, isPassword } = question;
    const kind = tool ? "approval" : isPassword ? "password" : "question";
    this.#intents = intents;
    this.element = h(
      "section",
      { class: `card card-caution question-card ${tool ? "approval" : ""}`, "data-request": requestId, "data-kind": kind },
      h("header", {}, icon({ approval: "shield", password: "key", question: "question" }[kind]), this.#title, this.#left),
      this.#prompt,
      this.#place,
      this.#problem,
      this.#note,
    );
  }

  /** @param {import("../../core/session/questions.js").Question & {canAnswer: boolean, isOnline: boolean}} question */
  update(question) {
    const { state, prompt, tool, error, unused, canAnswer } = question;
    const isOpen = state === "open";
    this.element.dataset.state = state;
    this.element.setAttribute("aria-label", titleOf(question));
    setText(this.#title, titleOf(question));
    setText(this.#prompt, tool ? "" : humanPrompt(prompt));
    this.#prompt.hidden = !isOpen || this.#prompt.textContent === "";
    this.#prompt.title = repliesTo(prompt) ? prompt : "";
    this.#show(question, isOpen && canAnswer);
    this.#controls?.update(question);
    setText(this.#problem, [error, unused && t`You wrote: ${unused}`].filter(Boolean).join(" "));
    setText(this.#note, isOpen ? openNote(question) : outcome(question));
    this.#count(isOpen ? question.expires : null);
  }

  /** Shows how much time is left, and again whenever that changes. */
  #count(expires) {
    clearTimeout(this.#timer);
    const { words, next } = timeLeft(expires, Date.now());
    setText(this.#left, words);
    if (next) this.#timer = setTimeout(() => this.element.isConnected && this.#count(expires), next);
  }

  /** Adds or removes the controls. Removing them also clears any password from the page. */
  #show(question, isNeeded) {
    if (isNeeded === Boolean(this.#controls)) return;
    const hadFocus = this.#place.contains(document.activeElement);
    this.#controls?.clear();
    this.#controls = isNeeded ? this.#newControls(question) : null;
    this.#place.replaceChildren(...(this.#controls ? [this.#controls.element] : []));
    if (hadFocus) this.#intents.refocus();
  }

  #newControls(question) {
    const answer = (given) => this.#answer(question.requestId, given);
    if (question.tool) return new ApprovalControls(answer);
    if (question.isPassword) return new PasswordControls(answer);
    return new AnswerControls(question, answer, this.#intents.write);
  }

  #answer(requestId, given) {
    const isSent = this.#intents.answer(requestId, given) || !given.isSecret;
    return isSent ? "" : t`You are offline. Send it again once you are connected.`;
  }
}

/** The known answers. Others are written in the composer. */
class AnswerControls {
  #buttons;

  constructor({ requestId, choices, labels }, answer, write) {
    this.#buttons = choices.map((text) => button("outline-button", () => answer({ text }), choiceLabel(text, labels)));
    const row = choices.length ? h("div", { class: "question-choices" }, ...this.#buttons) : null;
    const empty = choices.length ? null : button("text-button", () => answer({ text: "" }), t`Answer with nothing`);
    if (empty) this.#buttons.push(empty);
    const below = write ? button("outline-button question-write", () => write(requestId), t`Write an answer`) : null;
    this.element = h("div", { class: "question-answer" }, row, h("div", { class: "question-ways" }, below, empty));
  }

  update({ sending }) {
    for (const each of this.#buttons) each.disabled = Boolean(sending);
  }

  clear() {}
}

/** A field of its own, so that a password is never among the drafts. */
class PasswordControls {
  #form;

  constructor(answer) {
    this.#form = new InlineForm({
      kind: "password",
      label: t`Password`,
      placeholder: t`Password`,
      save: t`Answer`,
      done: (text) => (text ? answer({ text, isSecret: true }) : t`Write something first.`),
    });
    this.element = h("div", { class: "question-answer" }, this.#form.element);
  }

  update({ sending }) {
    this.#form.isDisabled = Boolean(sending);
  }

  clear() {
    this.#form.clear();
  }
}

function choiceLabel(text, labels) {
  return labels[text] || text || t`Continue`;
}

/** Says who is asking or, once answered, what it was about. */
function titleOf({ agent, prompt, tool, state, by, canAnswer }) {
  const isOpen = state === "open";
  if (tool) return isOpen ? waiting(tool.name, Boolean(by && !canAnswer)) : approvalOf(tool.name);
  const name = repliesTo(prompt);
  if (name) return isOpen ? t`${name} waits for your reply` : t`Reply to ${name}`;
  const who = displayName(agent);
  return isOpen || !prompt.trim() ? t`${who} asks` : t`${who} asks: ${shorten(prompt, 80)}`;
}

function waiting(tool, isForOperator) {
  if (tool === CODE) return isForOperator ? t`Code waits for an operator’s yes` : t`Code waits for your yes`;
  return isForOperator ? t`${tool} waits for an operator’s yes` : t`${tool} waits for your yes`;
}

function approvalOf(tool) {
  return tool === CODE ? t`Approval of code` : t`Approval of ${tool}`;
}

/** True for a tool that runs code: text of several lines, unreadable as JSON. */
function hasCode(tool) {
  return typeof tool.arguments?.code === "string";
}

function openNote({ sending, canAnswer, isOnline, expires, by }) {
  if (!canAnswer) return by ? t`Waits for the answer of an operator` : t`Waits for an answer`;
  if (!sending) return expires ? t`Open until ${clock(expires)}` : "";
  return isOnline ? t`Sending…` : t`Your answer waits for the connection`;
}

/** Says in one line who answered, and what. */
function outcome({ state, tool, isPassword, answer, labels }) {
  if (state === "closed") return t`No longer open: the turn ended without an answer`;
  const who = personName(answer.name);
  if (isPassword || answer.text === null) return t`${who} answered`;
  if (!tool) return `${who}: ${labels[answer.text] || shorten(answer.text, 200) || t`Continue`}`;
  const { choice, reason } = verdict(answer.text);
  if (choice === "approve") return t`${who} approved it`;
  if (choice === "deny") return reason ? t`${who} denied it: ${shorten(reason, 200)}` : t`${who} denied it`;
  if (choice !== "edit") return t`${who} answered`;
  return hasCode(tool) ? t`${who} changed the code and approved it` : t`${who} changed the arguments and approved it`;
}

/** Approves a tool call, denies it, or approves it with edited arguments. Code is shown and edited as it is. */
class ApprovalControls {
  #answer;
  #tool = null;
  #about = h("p", { class: "approval-about" });
  #arguments = h("div", { class: "approval-arguments" });
  #code = h("pre", { class: "code-box approval-code", tabindex: 0, "aria-label": t`Code` });
  #approve = button("solid-button", () => this.#answer({ text: "approve" }), t`Approve`);
  #deny = button("outline-button", () => this.#answer({ text: "deny" }), t`Deny`);
  #why = button("quiet-button", () => this.#openReason(), t`Say why not`);
  #edit = button("quiet-button approval-edit", () => this.#open(), t`Edit`);
  #row = h("div", { class: "question-choices" }, this.#approve, this.#deny, this.#why, this.#edit);
  #form = null;
  #forms = {}; // those that were left with Cancel, with what was written
  #language = null; // of the code being edited
  element = h("div", { class: "question-answer" }, this.#about, this.#arguments, this.#code, this.#row);

  /** @param {(answer: {text: string, arguments?: object}) => void} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  update({ tool, sending }) {
    const isOther = this.#tool !== tool;
    this.#tool = tool;
    const { code, ...others } = tool.arguments ?? {};
    setText(this.#about, hasCode(tool) ? lines(others) : "");
    this.#about.hidden = this.#about.textContent === "";
    this.#code.hidden = !hasCode(tool);
    this.#arguments.hidden = hasCode(tool);
    if (hasCode(tool)) setText(this.#code, code);
    else if (isOther) drawArguments(this.#arguments, tool.arguments ?? {});
    for (const each of [this.#approve, this.#deny, this.#why, this.#edit]) each.disabled = Boolean(sending);
    if (this.#form) this.#form.isDisabled = Boolean(sending);
  }

  clear() {
    for (const form of Object.values(this.#forms)) form.clear();
  }

  #open() {
    const form = (this.#forms.edit ??= hasCode(this.#tool) ? this.#newCodeForm() : this.#newArgumentsForm());
    this.#showForm(form, []);
  }

  #openReason() {
    const form = (this.#forms.reason ??= new InlineForm({
      kind: "words",
      label: t`Why not?`,
      placeholder: t`Why not? The agent is told`,
      save: t`Deny`,
      done: (text) => void this.#answer({ text: denial(text) }),
      cancel: () => this.#close(this.#why),
    }));
    this.#showForm(form, [this.#about, this.#arguments, this.#code]);
  }

  #showForm(form, above) {
    this.#form = form;
    this.element.replaceChildren(...above, form.element);
    form.focus();
  }

  /** Goes back to the buttons. What was written is there again when the form is opened again. */
  #close(opener) {
    this.#form = null;
    this.element.replaceChildren(this.#about, this.#arguments, this.#code, this.#row);
    opener.focus();
  }

  #newArgumentsForm() {
    return new ArgumentsForm(this.#tool.arguments ?? {}, {
      done: (changed) => this.#answer({ text: "edit", arguments: changed }),
      cancel: () => this.#close(this.#edit),
    });
  }

  #newCodeForm() {
    const { language, code } = this.#tool.arguments;
    const form = new InlineForm({
      kind: "code",
      label: t`Code`,
      value: code,
      save: t`Run this`,
      done: (text) => this.#runCode(text),
      cancel: () => this.#close(this.#edit),
    });
    this.#language = typeof language === "string" ? languageField(language) : null;
    if (this.#language) form.element.prepend(this.#language);
    return form;
  }

  #runCode(code) {
    if (!code.trim()) return t`Write some code, or deny it.`;
    const language = this.#language?.value.trim() || this.#tool.arguments.language;
    this.#answer({ text: "edit", arguments: { ...this.#tool.arguments, ...(language ? { language } : {}), code } });
    return "";
  }
}

function lines(given) {
  const words = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(given).map(([name, value]) => `${name}: ${words(value)}`).join("\n");
}

function languageField(value) {
  const field = h("input", { class: "field", type: "text", "aria-label": t`Language`, autocomplete: "off", spellcheck: "false" });
  field.value = value;
  return field;
}
