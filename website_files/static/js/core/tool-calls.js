/**
 * Merges the three events of a tool call (requested, started, finished) into one item, found by the call's id.
 * Some model servers give all calls of a turn the same id, so a finished call is never matched again.
 *
 * @typedef {{done: number, total: number|null, text: string}} Progress
 */

import { resultParts, wordsOf } from "./content-parts.js";
import { changeTurn, finishMessage, putItem } from "./turns.js";

export function onToolCall(turn, { message_id, sender, content, notice, tool_calls: calls }, ts) {
  const spoken = finishMessage(turn, { message_id, sender, content, notice }, ts);
  return (calls ?? []).reduce((each, call) => putItem(each, asked(each, call, sender, ts)), spoken);
}

export function onExecuteFunction(turn, { call_id: callId, func_name: name, arguments: given }, ts) {
  const open = openCall(turn, callId, name);
  if (open) return open.arguments === null ? putItem(turn, { ...open, arguments: given ?? null }) : turn;
  return putItem(turn, newCall(turn, callId, name, given, null, ts));
}

export function onExecutedFunction(turn, content, ts) {
  const { call_id: callId, func_name: name, arguments: given, content: result, is_exec_success: ok } = content;
  const open = openCall(turn, callId, name) ?? newCall(turn, callId, name, given, null, ts);
  return putItem(turn, ended(open, result, ok !== false));
}

/** Only adds something new for a call that no function was executed for. */
export function onToolResponse(turn, { tool_responses: responses }) {
  return (responses ?? []).reduce((each, { tool_call_id: callId, content }) => {
    const open = callId ? openCall(each, callId) : undefined;
    return open ? putItem(each, ended(open, content, !String(content).startsWith("Error"))) : each;
  }, turn);
}

function asked(turn, call, sender, ts) {
  const { name, arguments: given } = call.function ?? {};
  return newCall(turn, call.id, name, given, sender, ts);
}

const NOTHING_YET = { result: null, parts: null, progress: null, state: "running" };

function newCall(turn, callId, name = "tool", given = null, sender = null, ts) {
  const speaker = sender ?? turn.items.findLast((item) => item.sender)?.sender ?? turn.agent;
  const key = `call-${callId ?? name}-${turn.items.length}`;
  return { kind: "tool", key, callId, sender: speaker, name, arguments: given, ...NOTHING_YET, ts };
}

/** Finishes a call. A denied one stays denied, but still gets the result that the model is told. */
function ended(call, content, isGood) {
  const parts = resultParts(content ?? "");
  const isPlain = parts.every((part) => part.kind === "text");
  const state = call.state === "denied" ? "denied" : isGood ? "ok" : "failed";
  return { ...call, result: wordsOf(parts), parts: isPlain ? null : parts, progress: null, state };
}

/** The unfinished call with that id or, without an id, that name. */
export function openCall(turn, callId, name) {
  const isMeant = (item) => (callId ? item.callId === callId : item.name === name);
  const isOpen = ({ state, result }) => state === "denied" ? result === null : ["running", "waiting"].includes(state);
  return turn.items.find((item) => item.kind === "tool" && isOpen(item) && isMeant(item));
}

/**
 * Updates the progress of a running tool. After a reconnect the server sends progress before it replays the log,
 * so progress without a call waits in the state until the call arrives.
 */
export function onProgress(state, content) {
  const call = callOf(state, content);
  if (call) return changeTurn(state, content.turn, (turn) => putItem(turn, { ...call, progress: progressOf(content) }));
  const others = state.progress.filter(({ turn, id }) => turn !== content.turn || id !== content.id);
  return { ...state, progress: [...others, content] };
}

/** Wraps a handler that creates calls, so that they pick up any progress waiting for them. */
export function withProgress(handler) {
  return (before, content, event) => {
    const state = handler(before, content, event);
    if (state.progress.length === 0) return state;
    return state.progress.reduce(onProgress, { ...state, progress: [] });
  };
}

function callOf(state, { turn: number, id, tool }) {
  const turn = state.turns.find((each) => each.number === number && each.status === "running");
  return turn && openCall(turn, id, tool);
}

function progressOf({ done, total, text }) {
  return { done: Number(done) || 0, total: Number(total) || null, text: text ?? "" };
}
