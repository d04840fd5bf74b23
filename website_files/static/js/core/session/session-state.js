/**
 * State of one session, reduced from the frames on the wire: `(state, event) -> state`.
 * Pure: no DOM, no clock, no storage. Unchanged parts stay the same object, so views can compare by identity.
 *
 * @typedef {{id: string, text: string, name?: string, ts?: string, seq?: number, error?: object,
 *   attachments?: import("../attachments.js").Attachment[]}} Message A message from a person. `error` says why the server rejected it.
 * @typedef {import("../content-parts.js").Part} Part
 * @typedef {{kind: "message"|"reasoning", key: string, sender: string, text: string, parts?: Part[]|null,
 *   length: number, ts?: string, state: "streaming"|"done"|"partial", isOperator?: boolean, notice?: string,
 *   isCutOff?: boolean, seq?: number, ratings?: import("./feedback.js").Rating[]}} Answer An agent's message, or its
 *   reasoning. `length` counts code points, as `offset` does; `parts` is set when there is more than text. `notice` is a
 *   sentence about the message, whose text may then be empty. `seq` is set if people can rate the answer.
 * @typedef {{kind: "tool", key: string, callId: string, sender: string, name: string, arguments: unknown,
 *   result: string|null, parts: Part[]|null, progress: import("./tool-calls.js").Progress|null,
 *   output: import("../output.js").Output|null, isBegun: boolean,
 *   state: "running"|"waiting"|"denied"|"ok"|"failed"|"stopped", ts?: string}} ToolCall
 * @typedef {{kind: "code-result", key: string, sender: string, exitCode: number, text: string, ts?: string}} CodeResult
 * @typedef {{kind: "output", key: string, tool: string, output: import("../output.js").Output}} TurnOutput
 * @typedef {{kind: "error", key: string, code: string, message: string, words?: string}} Failure `words` are what the
 *   person wrote and the server refused.
 * @typedef {import("./questions.js").Question} Question
 * @typedef {import("./event-items.js").Handoff | import("./event-items.js").WrittenFile |
 *   import("./event-items.js").ChatStart | import("./event-items.js").OtherEvent} Occurrence
 * @typedef {{key: string, number: number, status: string, message: Message|null, versions: number,
 *   items: (Answer|ToolCall|CodeResult|TurnOutput|Question|Failure|Occurrence)[], agent: string|null, speaker: string|null,
 *   durationMs: number|null, usage: object|null, codeChanges: {path: string, kind: string, diff: string}[],
 *   notice: string, edit?: import("./edits.js").Edit|null}} Turn
 *   `status` is pending (not at the server yet), queued, withdrawn, running, or how the turn was completed. Number 0 is
 *   for events outside of any turn. `versions` counts earlier versions, retried or edited. Items of an inner chat have
 *   `within`, the agent that holds it, and `call`, the key of the tool call during which it is held, or null.
 * @typedef {{sessionId: string|null, agent: string|null, title: string, name: string|null,
 *   role: "member"|"viewer"|"operator",
 *   model: object|null, lastSeq: number, epoch: string, replayUntil: number, replaced: string|null, turns: Turn[], gone: Set<number>,
 *   versions: number, participants: object[], typing: string[], pending: Message[], errors: Failure[],
 *   tasks: import("./plan.js").Task[], planChanges: import("./plan.js").Change[],
 *   held: import("./handover.js").Handover|null, isDeleted: boolean, progress: object[],
 *   spent: import("./usage.js").UsageTotal}} State
 *   `progress` belongs to tools whose call has not arrived yet. `spent` includes discarded turns. `gone` are the numbers
 *   of discarded turns; `versions` is how many of them the next message replaces.
 */

import { refuseEdit } from "./edits.js";
import { onChatBegins, onFileChanged, onOtherEvent, withHandoff, withoutUploads } from "./event-items.js";
import { onFeedback } from "./feedback.js";
import { onHandoff, onOperators } from "./handover.js";
import { within } from "./inner-chats.js";
import { onOutput } from "../output.js";
import { onPresence, onTyping, stopTyping } from "./participants.js";
import { onTask, withoutTurns } from "./plan.js";
import {
  endQuestion, forgetSecrets, isOpenQuestion, onInputRequest, onInputResponse, refuseAnswer,
} from "./questions.js";
import {
  onExecuteFunction, onExecutedFunction, onProgress, onToolCall, onToolResponse, withProgress,
} from "./tool-calls.js";
import {
  changeTurn, endReasoning, finishMessage, newTurn, onReasoning, putItem, settled, streamInto,
} from "./turns.js";
import { NO_USAGE, addUsage } from "./usage.js";

/** @type {State} */
export const EMPTY = Object.freeze({
  sessionId: null, agent: null, title: "", name: null, role: "member", model: null,
  lastSeq: 0, epoch: "", replayUntil: 0, replaced: null, ahead: null,
  turns: [], gone: new Set(), versions: 0, participants: [], typing: [], pending: [], errors: [],
  tasks: [], planChanges: [], held: null, isDeleted: false,
  progress: [], spent: NO_USAGE,
});

const HANDLERS = new Map(Object.entries({
  connection_confirmed: onConfirmed,
  session_renamed: (state, { title }) => ({ ...state, title: title ?? "" }),
  feedback: onFeedback,
  presence: onPresence,
  typing: onTyping,
  user_message: onUserMessage,
  place: onPlace,
  turn_started: onTurnStarted,
  stream: onStream,
  text: onText,
  reasoning: inTurn(onReasoning),
  tool_call: withProgress(inTurn((turn, content, ts) => endReasoning(onToolCall(turn, content, ts), content))),
  execute_function: withProgress(inTurn(onExecuteFunction)),
  executed_function: inTurn(onExecutedFunction),
  tool_response: inTurn(onToolResponse),
  input_request: inTurn(onInputRequest),
  input_response: inTurn(onInputResponse),
  progress: onProgress,
  post_carryover_processing: inTurn(onChatBegins),
  group_chat_run_chat: inTurn(onNextSpeaker),
  turn_completed: inTurn(onTurnCompleted),
  task_created: onTask,
  task_updated: onTask,
  handoff: (state, content, event) => onHandoff(withHandoff(state, content, event), content, event),
  file_changed: onFileChanged,
  operators: onOperators,
  rewind: onRewind,
  error: onError,
}));

/** What a `stream` frame adds to, by its `kind`; others are ignored. */
const STREAMS = new Map([
  [undefined, onStreamedText],
  ["reasoning", onStreamedText],
  ["output", onOutput],
]);

/** Applies one frame to the state. An event that was already seen changes nothing. */
export function reduce(state, event) {
  if (event.seq && event.seq <= state.lastSeq) return state;
  const counts = event.type === "rewind" || !state.gone.has(event.turn);
  const handler = counts ? HANDLERS.get(event.type) ?? ofKnownTurn(onOtherEvent) : undefined;
  const next = handler ? handler(state, event.content ?? {}, event) : state;
  const spent = event.type === "turn_completed" ? addUsage(state.spent, event.content?.usage) : state.spent;
  return event.seq ? { ...next, spent, lastSeq: event.seq } : next;
}

/** Adds a message written here; it is pending until its `user_message` comes back. */
export function write(state, message) {
  if (isKnown(state, message.id)) return state;
  return { ...state, pending: [...state.pending, message], errors: [] };
}

/** Removes an error that belongs to no turn. */
export function dismiss(state, key) {
  return { ...state, errors: state.errors.filter((error) => error.key !== key) };
}

/** Clears the errors of rejected messages before they are sent again; one whose id is in use gets another. */
export function forgive(state, newId) {
  const forgiven = ({ error, ...message }) => (error?.code === "id_reused" ? { ...message, id: newId() } : message);
  return { ...state, errors: [], pending: state.pending.map(forgiven) };
}

/** The running turn, or null. */
export function runningTurn(state) {
  return state.turns.findLast((turn) => turn.status === "running") ?? null;
}

/** Whether the running turn is waiting for a person's answer. */
export function isWaiting(state) {
  return runningTurn(state)?.items.some(isOpenQuestion) ?? false;
}

/** Text of the first message, which serves as the title of an untitled conversation. */
export function firstText(state) {
  const first = state.turns.find((turn) => turn.message)?.message ?? state.pending[0];
  return (first?.text || first?.attachments?.[0].path) ?? "";
}

/** Whether an event happened on this connection, rather than being replayed from the log. */
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
  const confirmed = {
    ...base,
    sessionId: content.session_id,
    agent: content.agent,
    title: content.title ?? "",
    name: content.name ?? null,
    role: content.role ?? "member",
    model: content.model ?? null,
    replaced: content.replaced ?? base.replaced,
    epoch: content.epoch ?? "",
    replayUntil: content.last_seq ?? 0,
    participants: content.participants ?? [],
    typing: [],
    errors: [],
    held: content.held ?? null,
    ahead: content.ahead ?? null,
    isDeleted: false,
    progress: [],
  };
  return (content.progress ?? []).reduce(onProgress, confirmed);
}

function onUserMessage(before, { id, text, name, attachments }, { turn, ts, seq }) {
  const files = attachments?.map((each) => ({ ...each, sessionId: before.sessionId }));
  const message = { id, text: text ?? "", name, ts, seq, ...(files && { attachments: files }) };
  const state = { ...stopTyping(withoutPending(before, id), name), versions: 0 };
  const known = state.turns.some((each) => each.number === turn);
  if (known) return changeTurn(state, turn, (each) => ({ ...each, message, edit: null }));
  const turns = files ? withoutUploads(state.turns, files) : state.turns;
  return { ...state, turns: [...turns, { ...newTurn(turn, id), message, versions: before.versions, ahead: state.ahead }] };
}

function onPlace(state, { ahead }) {
  const turns = state.turns.map((turn) => (turn.status === "queued" ? { ...turn, ahead } : turn));
  return { ...state, ahead, turns };
}

function onTurnStarted(before, { agent }, { turn }) {
  const state = { ...before, ahead: null };
  return changeTurn(state, turn, (each) => ({ ...each, status: "running", agent: agent ?? each.agent }));
}

function onStream(state, content) {
  const turn = runningTurn(state);
  const change = STREAMS.get(content.kind);
  return turn && change ? changeTurn(state, turn.number, (each) => change(each, content)) : state;
}

function onStreamedText(turn, content) {
  return within(content.within, turn, streamInto(turn, content));
}

function onText(state, content, event) {
  if (!content.message_id) return state; // the person's own message, on its way to the agent
  const change = inTurn((turn, text, ts, { seq }) => endReasoning(settled(finishMessage(turn, text, ts, seq)), text));
  const known = withoutPending(state, content.message_id); // an operator's message keeps the id it was sent with
  return change(known, content, event);
}

function onNextSpeaker(turn, content, ts, event) {
  const speaker = content.within ? turn.speaker : content.speaker ?? turn.speaker;
  return onOtherEvent({ ...turn, speaker }, content, ts, event);
}

function onTurnCompleted(turn, content) {
  const { status = "completed", duration_ms: durationMs, usage, code_changes: codeChanges, notice = "" } = content;
  return {
    ...turn,
    status: turn.status === "queued" && status === "stopped" ? "withdrawn" : status,
    durationMs: durationMs ?? null,
    usage: usage ?? null,
    codeChanges: codeChanges ?? [],
    notice,
    items: turn.items.map((item) => endItem(item, status)),
  };
}

/** Closes an item when its turn ends, even if its own last event never arrived. */
function endItem(item, status) {
  if (item.kind === "question") return endQuestion(item);
  if (item.state === "streaming") return { ...item, state: "partial" };
  const ended = item.output ? { ...item, output: { ...item.output, isOver: true } } : item;
  const isRunning = item.state === "running" || item.state === "waiting";
  return isRunning ? { ...ended, progress: null, state: status === "stopped" ? "stopped" : "failed" } : ended;
}

/** Discards turns. After a rollback the next message is a different one, not a new version of the old. */
function onRewind(state, { turns = [], reason }) {
  const gone = new Set([...state.gone, ...turns]);
  const first = state.turns.find((turn) => turns.includes(turn.number));
  const versions = reason === "rollback" || !first ? 0 : first.versions + 1;
  return { ...withoutTurns(state, gone), gone, versions, turns: state.turns.filter((turn) => !gone.has(turn.number)) };
}

function onError(before, { code = "internal", message = "", words, uuid, id, request_id: requestId }, { seq, turn }) {
  const isDeleted = before.isDeleted || code === "session_deleted";
  const state = isDeleted === before.isDeleted ? before : { ...before, isDeleted };
  const failure = { kind: "error", key: `error-${seq ?? uuid ?? id ?? code}`, code, message, ...(words && { words }) };
  if (seq && turn) return changeTurn(state, turn, (each) => putItem(each, failure));
  const refused = requestId
    ? refuseAnswer(state, requestId, message) : refuseMessage(refuseEdit(state, id, message), id, failure);
  if (refused !== state) return refused;
  if (isDeleted) return state; // shown by a banner of its own
  return { ...state, errors: [...state.errors.filter((error) => error.words || error.code !== code), failure] };
}

function withoutPending(state, id) {
  const pending = state.pending.filter((each) => each.id !== id);
  return pending.length === state.pending.length ? state : { ...state, pending };
}

function refuseMessage(state, id, error) {
  if (!state.pending.some((message) => message.id === id)) return state;
  return { ...state, pending: state.pending.map((each) => (each.id === id ? { ...each, error } : each)) };
}

function inTurn(change) {
  return (state, content, event) => {
    if (!event.turn) return state;
    const changed = (each) => within(content.within, each, change(each, content, event.ts, event));
    return changeTurn(state, event.turn, changed);
  };
}

function ofKnownTurn(change) {
  const handler = inTurn(change);
  return (state, content, event) => {
    const isKnown = event.seq && state.turns.some((turn) => turn.number === event.turn);
    return isKnown ? handler(state, content, event) : state;
  };
}
