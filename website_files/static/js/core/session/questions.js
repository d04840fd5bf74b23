/**
 * Questions that agents ask in the middle of a turn, as items of that turn. Approving a tool call is also a question:
 * it follows the call that is waiting for it.
 *
 * @typedef {{text: string|null, name: string|null, arguments: object|null}} Reply
 *   `text` is null for a password.
 * @typedef {{kind: "question", key: string, requestId: string, agent: string|null, prompt: string, isPassword: boolean,
 *   choices: string[], labels: object, tool: object|null, expires: string|null, by: string|null, callKey: string|null,
 *   state: "open"|"answered"|"closed", answer: Reply|null, sending: object|null, error: string|null,
 *   unused?: string|null}} Question
 *   `by` is the role of those who may answer, null for everybody who takes part. `callKey` is the tool call waiting for approval. `sending` is an answer the server has not confirmed yet:
 *   `{text, arguments}`, or `{isSecret}` for a password, whose text is never stored. `unused` is what this person
 *   answered after somebody else.
 */

import { displayName } from "../format.js";
import { t } from "../words.js";
import { openCall } from "./tool-calls.js";
import { putItem, insertItemAfter } from "./turns.js";

export function onInputRequest(turn, content) {
  const { request_id: requestId, agent, prompt, password, choices, labels, tool, expires, by } = content;
  const question = {
    kind: "question", key: `question-${requestId}`, requestId, agent: agent || turn.agent, prompt: prompt ?? "",
    isPassword: Boolean(password), choices: choices ?? [], labels: labels ?? {}, tool: tool ?? null,
    expires: expires ?? null, by: by ?? null, callKey: null, state: "open", answer: null, sending: null, error: null,
  };
  const call = tool && openCall(turn, { callId: tool.call_id, name: tool.name });
  if (!call) return putItem(turn, question);
  return insertItemAfter(putItem(turn, { ...call, state: "waiting" }), call.key, { ...question, callKey: call.key });
}

export function onInputResponse(turn, { request_id: requestId, text, name, arguments: changed }) {
  const question = turn.items.find((item) => item.requestId === requestId);
  if (!question) return turn;
  const answer = { text: text ?? null, name: name ?? null, arguments: changed ?? null };
  const sent = question.sending?.text;
  const isInWords = sent && !question.choices.includes(sent);
  const unused = isInWords && sent !== answer.text ? sent : null; // somebody else was faster
  const answered = putItem(turn, { ...question, state: "answered", answer, sending: null, unused });
  const call = turn.items.find((item) => item.key === question.callKey);
  return call?.state === "waiting" ? putItem(answered, decided(call, answer)) : answered;
}

/** The call after a verdict: running, perhaps with edited arguments, or denied. */
function decided(call, answer) {
  const state = verdict(answer.text).choice === "deny" ? "denied" : "running";
  return { ...call, state, arguments: answer.arguments ?? call.arguments };
}

/** Splits the answer to an approval into choice and reason: `deny, too expensive`. */
export function verdict(text) {
  const [, choice, reason] = /^\s*(\w*)[\s,.:;–-]*([^]*)$/.exec(text ?? "");
  return { choice: choice.toLowerCase(), reason: reason.trim() };
}

/** Closes a question that nobody answered. */
export function endQuestion(question) {
  return question.state === "open" ? { ...question, state: "closed", sending: null } : question;
}

export function isOpenQuestion(item) {
  return item.kind === "question" && item.state === "open";
}

/** Marks a question as being answered. The answer may get lost, so it stays marked until `input_response` arrives. */
export function sendAnswer(state, requestId, sending) {
  return changeQuestion(state, requestId, (each) => ({ ...each, sending, error: null }));
}

/** Questions whose answers have to be sent again over a new connection. */
export function unsentAnswers(state) {
  const items = state.turns.flatMap((turn) => turn.items);
  return items.filter((item) => isOpenQuestion(item) && item.sending && !item.sending.isSecret);
}

/** Records why the server rejected an answer. */
export function refuseAnswer(state, requestId, error) {
  return changeQuestion(state, requestId, (each) => ({ ...each, error, sending: null }));
}

/** Clears the mark on unsent passwords: only the field still has them, and they must be sent from there again. */
export function forgetSecrets(state) {
  const secrets = state.turns.flatMap((turn) => turn.items).filter((item) => item.sending?.isSecret);
  return secrets.reduce((each, { requestId }) => sendAnswer(each, requestId, null), state);
}

function changeQuestion(state, requestId, change) {
  const isMeant = (item) => item.kind === "question" && item.requestId === requestId;
  const at = state.turns.findLastIndex((turn) => turn.items.some(isMeant));
  if (at < 0) return state;
  const turn = state.turns[at];
  return { ...state, turns: state.turns.with(at, putItem(turn, change(turn.items.find(isMeant)))) };
}

/** AG2's own prompts, as the server words them and, in older logs, as AG2 writes them for a terminal. */
const STANDARD = [
  [
    /^(.+?) (?:wants to use .+|waits for you|has finished)\. (?:Let it go on, end|End) here, or write something\.$/,
    (name, prompt) => prompt,
  ],
  [
    /^Replying as .+?\. Provide feedback to (.+?)\. Press enter to skip\b/,
    (name) => t`Would you like to say something to ${name}? Otherwise let it continue, or end here.`,
  ],
  [
    /^Please give feedback to (.+?)\. Press enter to skip\b/,
    (name) => t`${name} thinks that it is done. Would you like to say something, let it continue, or end here?`,
  ],
  [
    /^Please give feedback to (.+?)\. Press enter or type 'exit' to stop\b/,
    (name) => t`${name} thinks that it is done. Would you like to say something, or end here?`,
  ],
  [/^Enter the number of the next speaker\b/, () => t`Who speaks next?`],
];

/** Rewords AG2's built-in prompts the way a person would ask; returns any other prompt as it is. */
export function humanPrompt(prompt) {
  return standard(prompt)?.text ?? prompt.trim();
}

/** The agent that a built-in AG2 prompt wants a reply to. @returns {string|null} null for any other prompt */
export function repliesTo(prompt) {
  return standard(prompt)?.name ?? null;
}

function standard(prompt) {
  for (const [pattern, words] of STANDARD) {
    const found = pattern.exec(prompt);
    if (!found) continue;
    const name = found[1] ? displayName(found[1]) : null;
    return { name, text: words(name, prompt) };
  }
  return null;
}
