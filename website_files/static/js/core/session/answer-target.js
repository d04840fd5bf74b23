/**
 * Decides what the composer's text becomes: the answer to an open question, or a new message.
 *
 * @typedef {import("./questions.js").Question} Question
 * @typedef {{kind: "message"|"answer"|"verdict"|"password", question: Question|null, questions: Question[]}} Target
 *   A `verdict` answers an approval. For a `password` nothing can be written: it has a field of its own.
 *   `question` is the one that is answered, or that goes on waiting behind a message.
 */

import { isOpenQuestion } from "./questions.js";
import { isViewer } from "./participants.js";
import { runningTurn } from "./session-state.js";

/** Chosen instead of a question's id: the text is a new message. */
export const MESSAGE = "message";

const YES = /^(approve|yes|y|ok)[.!]?$/i;
const NO = /^(deny|no|n)(?=$|[\s,.:;!–-])[\s,.:;!–-]*/i;

/** The open questions that this person can answer, oldest first. @returns {Question[]} */
export function answerable(state) {
  if (!state || state.isDeleted || isViewer(state)) return [];
  const items = runningTurn(state)?.items ?? [];
  return items.filter((item) => isOpenQuestion(item) && !item.by && !item.sending);
}

/** @param {string|null} chosen the id of a question, `MESSAGE`, or null @returns {Target} */
export function answerTarget(state, chosen) {
  const questions = answerable(state);
  const first = questions.find(({ isPassword }) => !isPassword) ?? questions[0] ?? null;
  if (!first || chosen === MESSAGE) return { kind: "message", question: first, questions };
  const question = questions.find(({ requestId }) => requestId === chosen) ?? first;
  const kind = question.isPassword ? "password" : question.tool ? "verdict" : "answer";
  return { kind, question, questions };
}

/** Reads what somebody writes about an approval: `yes`, or `no` and perhaps why. @returns {string|null} the answer to send */
export function verdictOf(text) {
  const words = text.trim();
  if (YES.test(words)) return "approve";
  const no = NO.exec(words);
  return no ? denial(words.slice(no[0].length)) : null;
}

/** The answer that denies a tool call. */
export function denial(reason) {
  const why = reason.trim();
  return why ? `deny, ${why}` : "deny";
}
