/**
 * What agents ask in mid-turn, as items of the turn. The approval of a tool call is such a question, too: it stands
 * right behind its call, which waits for it. Pure.
 *
 * @typedef {{text: string|null, name: string|null, arguments: object|null}} Reply `text` is null for a password.
 * @typedef {{kind: "question", key: string, requestId: string, agent: string|null, prompt: string, isPassword: boolean,
 *   choices: string[], labels: object, tool: object|null, expires: string|null, callKey: string|null,
 *   state: "open"|"answered"|"closed", answer: Reply|null, sending: object|null, error: string|null}} Question
 *   `callKey` is the call that waits for it. `sending` is what was answered here and not yet confirmed:
 *   `{text, arguments}`, or `{isSecret}` for a password, whose text is never kept.
 */

import { openCall } from "./tool-calls.js";
import { putItem, putItemBehind } from "./turns.js";

export function onInputRequest(turn, content) {
  const { request_id: requestId, agent, prompt, password, choices, labels, tool, expires } = content;
  const question = {
    kind: "question", key: `question-${requestId}`, requestId, agent: agent ?? null, prompt: prompt ?? "",
    isPassword: Boolean(password), choices: choices ?? [], labels: labels ?? {}, tool: tool ?? null,
    expires: expires ?? null, callKey: null, state: "open", answer: null, sending: null, error: null,
  };
  const call = tool && openCall(turn, tool.call_id, tool.name);
  if (!call) return putItem(turn, question);
  return putItemBehind(putItem(turn, { ...call, state: "waiting" }), call.key, { ...question, callKey: call.key });
}

export function onInputResponse(turn, { request_id: requestId, text, name, arguments: changed }) {
  const question = turn.items.find((item) => item.requestId === requestId);
  if (!question) return turn;
  const answer = { text: text ?? null, name: name ?? null, arguments: changed ?? null };
  const answered = putItem(turn, { ...question, state: "answered", answer, sending: null });
  const call = turn.items.find((item) => item.key === question.callKey);
  return call?.state === "waiting" ? putItem(answered, decided(call, answer)) : answered;
}

/** The call goes on, perhaps with other arguments, or it never will. */
function decided(call, answer) {
  const state = verdict(answer.text).choice === "deny" ? "denied" : "running";
  return { ...call, state, arguments: answer.arguments ?? call.arguments };
}

/** An answer to an approval: `deny, too expensive` is a choice and a reason. */
export function verdict(text) {
  const [, choice, reason] = /^\s*(\w*)[\s,.:;–-]*([^]*)$/.exec(text ?? "");
  return { choice: choice.toLowerCase(), reason: reason.trim() };
}

export function endQuestion(question) {
  return question.state === "open" ? { ...question, state: "closed", sending: null } : question;
}

export function isOpenQuestion(item) {
  return item.kind === "question" && item.state === "open";
}

/** Notes that an answer is on its way, which may be lost: it is so until its `input_response` comes. */
export function sendAnswer(state, requestId, sending) {
  return changeQuestion(state, requestId, (each) => ({ ...each, sending, error: null }));
}

/** Answers that a new connection has to hear. */
export function unsentAnswers(state) {
  const items = state.turns.flatMap((turn) => turn.items);
  return items.filter((item) => isOpenQuestion(item) && item.sending && !item.sending.isSecret);
}

export function refuseAnswer(state, requestId, error) {
  return changeQuestion(state, requestId, (each) => ({ ...each, error, sending: null }));
}

/** A password that did not arrive is in its field only, to be sent from there again. */
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
