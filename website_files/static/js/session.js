/**
 * What is shown of one session, folded from the frames of the wire: `(state, event) -> state`.
 * Pure: no DOM, no clock, no storage. What did not change stays the same object, so views can compare by identity.
 *
 * @typedef {{id: string, text: string, name?: string, ts?: string, seq?: number, error?: object}} Message What a
 *   person wrote. `error` says why the server refused it.
 * @typedef {{kind: "message", key: string, sender: string, text: string, length: number, ts?: string,
 *   state: "streaming"|"done"|"partial"}} Answer `length` counts code points, as `offset` does.
 * @typedef {{kind: "tool", key: string, callId: string, sender: string, name: string, arguments: unknown,
 *   result: string|null, state: "running"|"waiting"|"denied"|"ok"|"failed", ts?: string}} ToolCall
 * @typedef {{kind: "error", key: string, code: string, message: string}} Failure
 * @typedef {import("./questions.js").Question} Question
 * @typedef {{key: string, number: number, status: string, message: Message|null, versions: number,
 *   items: (Answer|ToolCall|Question|Failure)[], agent: string|null, speaker: string|null, durationMs: number|null,
 *   usage: object|null}} Turn `status` is pending (not yet at the server), queued, withdrawn, running, or how the turn
 *   was completed. `versions` counts what it was before: retried, or edited.
 * @typedef {{sessionId: string|null, agent: string|null, title: string, name: string|null, role: "member"|"viewer",
 *   model: object|null, lastSeq: number, replayUntil: number, replaced: string|null, turns: Turn[], gone: Set<number>,
 *   versions: number, participants: object[], typing: string[], pending: Message[], errors: Failure[]}} State
 *   `gone` are the turns that no longer count, `versions` those that the next message stands for.
 */

import { onPresence, onTyping, stopTyping } from "./people.js";
import {
  endQuestion, forgetSecrets, isOpenQuestion, onInputRequest, onInputResponse, refuseAnswer,
} from "./questions.js";
import { onToolCall, onExecuteFunction, onExecutedFunction, onToolResponse } from "./tool-calls.js";
import { changeTurn, codePoints, cutAt, finishMessage, newTurn, putItem } from "./turns.js";

/** @type {State} */
export const EMPTY = Object.freeze({
  sessionId: null, agent: null, title: "", name: null, role: "member", model: null,
  lastSeq: 0, replayUntil: 0, replaced: null,
  turns: [], gone: new Set(), versions: 0, participants: [], typing: [], pending: [], errors: [],
});

const HANDLERS = new Map(Object.entries({
  connection_confirmed: onConfirmed,
  session_renamed: (state, { title }) => ({ ...state, title: title ?? "" }),
  presence: onPresence,
  typing: onTyping,
  user_message: onUserMessage,
  turn_started: onTurnStarted,
  stream: onStream,
  text: onText,
  tool_call: inTurn(onToolCall),
  execute_function: inTurn(onExecuteFunction),
  executed_function: inTurn(onExecutedFunction),
  tool_response: inTurn(onToolResponse),
  input_request: inTurn(onInputRequest),
  input_response: inTurn(onInputResponse),
  group_chat_run_chat: inTurn((turn, { speaker }) => ({ ...turn, speaker: speaker ?? turn.speaker })),
  turn_completed: inTurn(onTurnCompleted),
  rewind: onRewind,
  error: onError,
}));

/** Folds one frame into the state. An event that was seen before changes nothing. */
export function reduce(state, event) {
  if (event.seq && event.seq <= state.lastSeq) return state;
  const counts = event.type === "rewind" || !state.gone.has(event.turn);
  const handler = counts ? HANDLERS.get(event.type) : undefined;
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

/** Forgets why messages were refused: they are sent again. */
export function forgive(state) {
  return { ...state, errors: [], pending: state.pending.map(({ error, ...message }) => message) };
}

/** The turn that runs now, if one does. */
export function runningTurn(state) {
  return state.turns.findLast((turn) => turn.status === "running") ?? null;
}

/** Whether the running turn waits for a person. */
export function isWaiting(state) {
  return runningTurn(state)?.items.some(isOpenQuestion) ?? false;
}

/** What the person began with; it names a conversation without a title. */
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
  const base = startsOver ? { ...EMPTY, pending: state.pending } : forgetSecrets(state);
  return {
    ...base,
    sessionId: content.session_id,
    agent: content.agent,
    title: content.title ?? "",
    name: content.name ?? null,
    role: content.role ?? "member",
    model: content.model ?? null,
    replaced: content.replaced ?? base.replaced,
    replayUntil: content.last_seq ?? 0,
    participants: content.participants ?? [],
    typing: [],
    errors: [],
  };
}

function onUserMessage(before, { id, text, name }, { turn, ts, seq }) {
  const message = { id, text: text ?? "", name, ts, seq };
  const state = { ...stopTyping(before, name), versions: 0, pending: before.pending.filter((each) => each.id !== id) };
  const known = state.turns.some((each) => each.number === turn);
  if (known) return changeTurn(state, turn, (each) => ({ ...each, message }));
  return { ...state, turns: [...state.turns, { ...newTurn(turn, id), message, versions: before.versions }] };
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

function onTurnCompleted(turn, { status = "completed", duration_ms: durationMs, usage }) {
  return {
    ...turn,
    status: turn.status === "queued" && status === "stopped" ? "withdrawn" : status,
    durationMs: durationMs ?? null,
    usage: usage ?? null,
    items: turn.items.map(endItem),
  };
}

/** Nothing goes on after the end of a turn, whatever did not come through before it. */
function endItem(item) {
  if (item.kind === "question") return endQuestion(item);
  if (item.state === "streaming") return { ...item, state: "partial" };
  if (item.state === "running" || item.state === "waiting") return { ...item, state: "failed" };
  return item;
}

/** What a message of a rollback takes the place of was another message, not an earlier version of it. */
function onRewind(state, { turns = [], reason }) {
  const gone = new Set([...state.gone, ...turns]);
  const first = state.turns.find((turn) => turns.includes(turn.number));
  const versions = reason === "rollback" || !first ? 0 : first.versions + 1;
  return { ...state, gone, versions, turns: state.turns.filter((turn) => !gone.has(turn.number)) };
}

function onError(state, { code = "internal", message = "", uuid, id, request_id: requestId }, { seq, turn }) {
  const failure = { kind: "error", key: `error-${seq ?? uuid ?? code}`, code, message };
  if (seq && turn) return changeTurn(state, turn, (each) => putItem(each, failure));
  const refused = requestId ? refuseAnswer(state, requestId, message) : refuseMessage(state, id, failure);
  if (refused !== state) return refused;
  return { ...state, errors: [...state.errors.filter((error) => error.code !== code), failure] };
}

function refuseMessage(state, id, error) {
  if (!state.pending.some((message) => message.id === id)) return state;
  return { ...state, pending: state.pending.map((each) => (each.id === id ? { ...each, error } : each)) };
}

function inTurn(change) {
  return (state, content, { turn, ts }) => {
    if (!turn) return state;
    return changeTurn(state, turn, (each) => change(each, content, ts));
  };
}
