/**
 * Tells what somebody who is not looking should be told.
 *
 * @typedef {{kind: "answer"|"question", key: string, sessionId: string, turn: number, requestId: string|null,
 *   title: string, text: string}} News `key` is the same in every tab
 */

import { displayName, shorten } from "./format.js";
import { personName } from "./session/participants.js";
import { humanPrompt } from "./session/questions.js";
import { firstText } from "./session/session-state.js";
import { t } from "./words.js";

const TEXT_CHARS = 140;
const ENDS = new Set(["completed", "failed", "interrupted"]); // who stops a turn knows

/** Returns the news in a live event, or null. @returns {News|null} */
export function newsOf({ type, content = {}, turn, seq }, state) {
  const about = { sessionId: state.sessionId, turn, requestId: null, title: titleOf(state) };
  if (type === "input_request" && !content.by) {
    const text = t`${displayName(content.agent)} asks: ${shorten(asked(content), TEXT_CHARS)}`;
    return { ...about, kind: "question", key: content.request_id, requestId: content.request_id, text };
  }
  if (type === "text" && content.operator) {
    const text = `${personName(content.sender)}: ${shorten(String(content.content), TEXT_CHARS)}`;
    return { ...about, kind: "answer", key: `${state.sessionId}-${seq}`, text };
  }
  if (type !== "turn_completed" || !ENDS.has(content.status ?? "completed")) return null;
  const its = state.turns.find(({ number }) => number === turn);
  if (!its || its.agent === "human") return null; // it only went to an operator
  return { ...about, kind: "answer", key: `${state.sessionId}-turn-${turn}`, text: ending(its, content) };
}

function titleOf(state) {
  return state.title || shorten(firstText(state)) || displayName(state.agent);
}

function asked({ prompt = "", tool }) {
  return tool ? t`${tool.name} waits for your yes` : humanPrompt(prompt);
}

function ending({ items }, { status, notice }) {
  if (status === "failed") return t`The answer failed.`;
  if (status === "interrupted") return t`The answer was interrupted.`;
  const last = items.findLast((item) => item.kind === "message" && !item.within);
  return last?.text ? shorten(last.text, TEXT_CHARS) : notice || t`The answer is ready.`;
}
