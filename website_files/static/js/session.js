/**
 * What is shown of one session, folded from the frames of the wire: `(state, event) -> state`.
 * Pure: no DOM, no clock, no storage. What did not change stays the same object, so views can compare by identity.
 *
 * @typedef {{id: string, text: string, name?: string, ts?: string}} Message What a person wrote.
 * @typedef {{kind: "message", key: string, sender: string, text: string, length: number, ts?: string,
 *   state: "streaming"|"done"|"partial"}} Answer `length` counts code points, as `offset` does.
 * @typedef {{kind: "tool", key: string, callId: string, sender: string, name: string, arguments: unknown,
 *   result: string|null, state: "running"|"ok"|"failed", ts?: string}} ToolCall
 * @typedef {{kind: "error", key: string, code: string, message: string}} Failure
 * @typedef {{key: string, number: number, status: string, message: Message|null, items: (Answer|ToolCall|Failure)[],
 *   agent: string|null, speaker: string|null, durationMs: number|null, usage: object|null}} Turn
 *   `status` is pending (not yet at the server), queued, running, or how the turn was completed.
 * @typedef {{sessionId: string|null, agent: string|null, model: object|null, lastSeq: number, replayUntil: number,
 *   replaced: string|null, turns: Turn[], pending: Message[], errors: Failure[]}} State
 */

import { onToolCall, onExecuteFunction, onExecutedFunction, onToolResponse } from "./tool-calls.js";
import { changeTurn, codePoints, cutAt, finishMessage, newTurn, putItem } from "./turns.js";

/** @type {State} */
export const EMPTY = Object.freeze({
  sessionId: null, agent: null, model: null, lastSeq: 0, replayUntil: 0, replaced: null,
  turns: [], pending: [], errors: [],
});

const HANDLERS = new Map(Object.entries({
  connection_confirmed: onConfirmed,
  user_message: onUserMessage,
  turn_started: onTurnStarted,
  stream: onStream,
  text: onText,
  tool_call: inTurn(onToolCall),
  execute_function: inTurn(onExecuteFunction),
  executed_function: inTurn(onExecutedFunction),
  tool_response: inTurn(onToolResponse),
  group_chat_run_chat: inTurn((turn, { speaker }) => ({ ...turn, speaker: speaker ?? turn.speaker })),
  turn_completed: inTurn(onTurnCompleted),
  error: onError,
}));

/** Folds one frame into the state. An event that was seen before changes nothing. */
export function reduce(state, event) {
  if (event.seq && event.seq <= state.lastSeq) return state;
  const handler = HANDLERS.get(event.type);
  const next = handler ? handler(state, event.content ?? {}, event) : state;
  return event.seq ? { ...next, lastSeq: event.seq } : next;
}

/** Adds what the person wrote here; it is pending until its `user_message` comes back. */
export function write(state, message) {
  if (isKnown(state, message.id)) return state;
  return { ...state, pending: [...state.pending, message], errors: [] };
}

/** Takes away an error that belongs to no turn. */
export function dismiss(state, key) {
  return { ...state, errors: state.errors.filter((error) => error.key !== key) };
}

/** The turn that runs now, if one does. */
export function runningTurn(state) {
  return state.turns.findLast((turn) => turn.status === "running") ?? null;
}

/** What the person began with; it names the conversation. */
export function firstText(state) {
  return (state.turns[0]?.message ?? state.pending[0])?.text ?? "";
}

/** True for an event that happened while this connection was there, false for one that is replayed. */
export function isLive(state, event) {
  return !event.seq || event.seq > state.replayUntil;
}

function isKnown(state, id) {
  return state.pending.some((message) => message.id === id) || state.turns.some((turn) => turn.message?.id === id);
}

function onConfirmed(state, content) {
  const isOther = state.sessionId !== null && content.session_id !== state.sessionId;
  const startsOver = isOther || Boolean(content.replaced) || content.recovered === false;
  const base = startsOver ? { ...EMPTY, pending: state.pending } : state;
  return {
    ...base,
    sessionId: content.session_id,
    agent: content.agent,
    model: content.model ?? null,
    replaced: content.replaced ?? base.replaced,
    replayUntil: content.last_seq ?? 0,
    errors: [],
  };
}

function onUserMessage(state, { id, text, name }, { turn, ts }) {
  const message = { id, text: text ?? "", name, ts };
  const pending = state.pending.some((each) => each.id === id)
    ? state.pending.filter((each) => each.id !== id)
    : state.pending;
  const known = state.turns.some((each) => each.number === turn);
  if (known) return changeTurn({ ...state, pending }, turn, (each) => ({ ...each, message }));
  return { ...state, pending, turns: [...state.turns, { ...newTurn(turn, id), message }] };
}

function onTurnStarted(state, { agent }, { turn }) {
  return changeTurn(state, turn, (each) => ({ ...each, status: "running", agent: agent ?? each.agent }));
}

function onStream(state, content) {
  const turn = runningTurn(state);
  return turn ? changeTurn(state, turn.number, (each) => streamInto(each, content)) : state;
}

function streamInto(turn, { message_id: key, sender, offset = 0, content = "" }) {
  const known = turn.items.find((item) => item.key === key);
  if (known && known.state !== "streaming") return turn;
  const before = cutAt(known?.text ?? "", known?.length ?? 0, offset);
  const length = Math.min(offset, known?.length ?? 0) + codePoints(content);
  const text = before + content;
  return putItem(turn, { ...known, kind: "message", key, sender, text, length, state: "streaming" });
}

function onText(state, content, { turn, ts }) {
  if (!content.message_id) return state; // the person's own words on their way to the agent
  return changeTurn(state, turn, (each) => finishMessage(each, content, ts));
}

function onTurnCompleted(turn, { status, duration_ms: durationMs, usage }) {
  return {
    ...turn,
    status: status ?? "completed",
    durationMs: durationMs ?? null,
    usage: usage ?? null,
    items: turn.items.map(endItem),
  };
}

/** Nothing goes on after the end of a turn, whatever did not come through before it. */
function endItem(item) {
  if (item.state === "streaming") return { ...item, state: "partial" };
  if (item.state === "running") return { ...item, state: "failed" };
  return item;
}

function onError(state, { code = "internal", message = "", uuid }, { seq, turn }) {
  const key = `error-${seq ?? uuid ?? code}`;
  const failure = { kind: "error", key, code, message };
  if (seq && turn) return changeTurn(state, turn, (each) => putItem(each, failure));
  return { ...state, errors: [...state.errors.filter((error) => error.code !== code), failure] };
}

function inTurn(change) {
  return (state, content, { turn, ts }) => {
    if (!turn) return state;
    return changeTurn(state, turn, (each) => change(each, content, ts));
  };
}
