/** A question from an agent, and the answer to it. Approving a tool call is a question with different controls. */

import { clock, displayName, pretty, shorten } from "../../core/format.js";
import { personName } from "../../core/session/participants.js";
import { humanPrompt, repliesTo, verdict } from "../../core/session/questions.js";
import { button, h, icon, setText } from "../shared/dom.js";
import { InlineForm } from "../shared/inline-form.js";

const NOT_SENT = "There is no connection. Send it again when it is back.";
const CODE = "execute_code"; // the name under which AG2's execution of code is asked about
const VERDICTS = { approve: "approved it", deny: "denied it", edit: "changed the arguments and approved it" };

export class QuestionCard {
  #title = h("h3", { class: "question-title" });
  #prompt = h("p", { class: "question-prompt", dir: "auto" });
  #controls = null; // only while the question can be answered
  #place = h("div", { class: "question-controls" });
  #note = h("p", { class: "question-note" });
  #problem = h("p", { class: "field-problem", role: "alert" });
  #intents;

  /** @param {{answer(requestId: string, answer: object): boolean, refocus(): void}} intents
   *   `refocus` moves the focus back to the composer */
  constructor(question, intents) {
    const { requestId, tool, isPassword } = question;
    const kind = tool ? "approval" : isPassword ? "password" : "question";
    this.#intents = intents;
    this.element = h(
      "section",
      { class: `card card-caution question-card ${tool ? "approval" : ""}`, "data-request": requestId, "data-kind": kind },
      h("header", {}, icon({ approval: "shield", password: "key", question: "question" }[kind]), this.#title),
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
    setText(this.#problem, [error, unused && `You wrote: ${unused}`].filter(Boolean).join(" "));
    setText(this.#note, isOpen ? openNote(question) : outcome(question));
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
    return question.tool ? new ApprovalControls(answer) : new AnswerControls(question, answer);
  }

  #answer(requestId, given) {
    return this.#intents.answer(requestId, given) || !given.isSecret ? "" : NOT_SENT;
  }
}

class AnswerControls {
  #form;
  #buttons;

  constructor({ choices, labels, isPassword }, answer) {
    this.#buttons = choices.map((text) => button("outline-button", () => answer({ text }), choiceLabel(text, labels)));
    this.#form = new InlineForm({
      kind: isPassword ? "password" : "words",
      label: isPassword ? "Password" : "Your answer",
      placeholder: isPassword ? "Password" : choices.length ? "Or write an answer" : "Write an answer",
      save: "Answer",
      done: (text) => {
        if (!text && (isPassword || choices.length)) return "Write something first.";
        return answer({ text, isSecret: isPassword });
      },
    });
    const row = choices.length ? h("div", { class: "question-choices" }, ...this.#buttons) : null;
    this.element = h("div", { class: "question-answer" }, row, this.#form.element);
  }

  update({ sending }) {
    this.#form.isDisabled = Boolean(sending);
    for (const each of this.#buttons) each.disabled = Boolean(sending);
  }

  clear() {
    this.#form.clear();
  }
}

function choiceLabel(text, labels) {
  return labels[text] || text || "Continue";
}

/** Says who is asking or, once answered, what it was about. */
function titleOf({ agent, prompt, tool, state, by, canAnswer }) {
  const isOpen = state === "open";
  const whose = by && !canAnswer ? "an operator’s" : "your";
  if (tool?.name === CODE) return isOpen ? `Code waits for ${whose} yes` : "Approval of code";
  if (tool) return isOpen ? `${tool.name} waits for ${whose} yes` : `Approval of ${tool.name}`;
  const name = repliesTo(prompt);
  if (name) return isOpen ? `${name} waits for your reply` : `Reply to ${name}`;
  const asks = `${displayName(agent)} asks`;
  return isOpen || !prompt.trim() ? asks : `${asks}: ${shorten(prompt, 80)}`;
}

/** True for a tool that runs code: text of several lines, unreadable as JSON. */
function hasCode(tool) {
  return typeof tool.arguments?.code === "string";
}

function openNote({ sending, canAnswer, isOnline, expires, by }) {
  if (!canAnswer) return by ? "Waits for the answer of an operator" : "Waits for an answer";
  if (!sending) return expires ? `Open until ${clock(expires)}` : "";
  return isOnline ? "Sending…" : "Your answer waits for the connection";
}

/** Says in one line who answered, and what. */
function outcome({ state, tool, isPassword, answer, labels }) {
  if (state === "closed") return "No longer open: the turn ended without an answer";
  const who = personName(answer.name);
  if (isPassword || answer.text === null) return `${who} answered`;
  if (!tool) return `${who}: ${labels[answer.text] || shorten(answer.text, 200) || "Continue"}`;
  const { choice, reason } = verdict(answer.text);
  const why = choice === "deny" && reason ? `: ${shorten(reason, 200)}` : "";
  const did = choice === "edit" && hasCode(tool) ? "changed the code and approved it" : VERDICTS[choice];
  return `${who} ${did ?? "answered"}${why}`;
}

/** Approves a tool call, denies it, or approves it with edited arguments. Code is shown and edited as it is. */
class ApprovalControls {
  #answer;
  #tool = null;
  #about = h("p", { class: "approval-about" });
  #arguments = h("pre", { class: "code-box approval-arguments", tabindex: 0 });
  #approve = button("solid-button", () => this.#answer({ text: "approve" }), "Approve");
  #deny = button("outline-button", () => this.#answer({ text: "deny" }), "Deny");
  #edit = button("quiet-button approval-edit", () => this.#open(), "Edit");
  #row = h("div", { class: "question-choices" }, this.#approve, this.#deny, this.#edit);
  #form = null;
  #language = null; // of the code being edited
  element = h("div", { class: "question-answer" }, this.#about, this.#arguments, this.#row);

  /** @param {(answer: {text: string, arguments?: object}) => void} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  update({ tool, sending }) {
    this.#tool = tool;
    const { code, ...others } = tool.arguments ?? {};
    setText(this.#about, hasCode(tool) ? lines(others) : "");
    this.#about.hidden = this.#about.textContent === "";
    this.#arguments.setAttribute("aria-label", hasCode(tool) ? "Code" : "Arguments");
    setText(this.#arguments, hasCode(tool) ? code : pretty(tool.arguments) || "{}");
    for (const each of [this.#approve, this.#deny, this.#edit]) each.disabled = Boolean(sending);
    if (this.#form) this.#form.isDisabled = Boolean(sending);
  }

  clear() {
    this.#form?.clear();
  }

  #open() {
    const isCode = hasCode(this.#tool);
    const { language } = this.#tool.arguments ?? {};
    this.#form = new InlineForm({
      kind: "code",
      label: isCode ? "Code" : "Arguments as JSON",
      value: this.#arguments.textContent,
      save: isCode ? "Run this" : "Run with these",
      done: (text) => (isCode ? this.#runCode(text) : this.#run(text)),
      cancel: () => this.#close(),
    });
    this.#language = isCode && typeof language === "string" ? languageField(language) : null;
    if (this.#language) this.#form.element.prepend(this.#language);
    this.element.replaceChildren(this.#form.element);
    this.#form.focus();
  }

  #close() {
    this.#form = this.#language = null;
    this.element.replaceChildren(this.#about, this.#arguments, this.#row);
    this.#edit.focus();
  }

  #runCode(code) {
    if (!code.trim()) return "Write some code, or deny it.";
    const language = this.#language?.value.trim() || this.#tool.arguments.language;
    this.#answer({ text: "edit", arguments: { ...this.#tool.arguments, ...(language ? { language } : {}), code } });
    return "";
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

function lines(given) {
  const words = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(given).map(([name, value]) => `${name}: ${words(value)}`).join("\n");
}

function languageField(value) {
  const field = h("input", { class: "field", type: "text", "aria-label": "Language", autocomplete: "off", spellcheck: "false" });
  field.value = value;
  return field;
}
