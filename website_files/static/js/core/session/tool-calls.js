/**
 * Merges the three events of a tool call (requested, started, finished) into one item, found by the call's id.
 * Some model servers give all calls of a turn the same id, so a finished call is never matched again.
 *
 * @typedef {{done: number, total: number|null, text: string}} Progress
 */

import { resultParts, wordsOf } from "../content-parts.js";
import { unfinishedOf } from "./items.js";
import { changeTurn, finishMessage, putItem } from "./turns.js";

export function onToolCall(turn, { message_id, sender, recipient, content, notice, tool_calls: calls }, ts) {
  const spoken = finishMessage(turn, { message_id, sender, recipient, content, notice }, ts);
  return (calls ?? []).reduce((each, call) => putItem(each, asked(each, call, sender, ts)), spoken);
}

export function onExecuteFunction(turn, { call_id: callId, func_name: name, arguments: given, within = null }, ts) {
  const call = openCall(turn, { callId, name, within }) ?? newCall(turn, callId, name, given, null, ts);
  return putItem(turn, { ...call, arguments: call.arguments ?? given ?? null, isBegun: true });
}

export function onExecutedFunction(turn, content, ts) {
  const { call_id: callId, func_name: name, arguments: given, content: result, is_exec_success: ok, within = null } = content;
  const open = openCall(turn, { callId, name, within }) ?? newCall(turn, callId, name, given, null, ts);
  return putItem(turn, ended(open, result, ok !== false));
}

/** Only adds something new for a call that no function was executed for. */
export function onToolResponse(turn, { tool_responses: responses, within = null }) {
  return (responses ?? []).reduce((each, { tool_call_id: callId, content }) => {
    const open = callId ? openCall(each, { callId, within }) : undefined;
    return open ? putItem(each, ended(open, content, !String(content).startsWith("Error"))) : each;
  }, turn);
}

function asked(turn, call, sender, ts) {
  const { name, arguments: given } = call.function ?? {};
  return newCall(turn, call.id, name, given, sender, ts);
}

const NOTHING_YET = { result: null, parts: null, progress: null, output: null, state: "running", isBegun: false };

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

/**
 * The unfinished call with that id and name, as far as they are known: of the turn's own chat if `within` is null, of the
 * chat that the agent `within` holds, or of any, preferably one that has begun. Inner agents may get the ids of outer ones.
 */
export function openCall(turn, { callId, name, within }) {
  const calls = unfinishedOf(turn.items).filter((item) => isCall(item, callId, name));
  if (within === undefined) return calls.findLast((item) => item.isBegun) ?? calls[0];
  return calls.find((item) => (item.within ?? null) === within);
}

/** The call that printed something: the newest of this agent, finished or not. */
export function callThatPrinted(turn, { callId, name, sender }) {
  const calls = turn.items.filter((item) => isCall(item, callId, name));
  return calls.findLast((item) => item.sender === sender && item.isBegun) ?? calls.at(-1);
}

function isCall(item, callId, name) {
  return item.kind === "tool" && (!callId || item.callId === callId) && (!name || item.name === name);
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
  return turn && openCall(turn, { callId: id, name: tool });
}

function progressOf({ done, total, text }) {
  return { done: Number(done) || 0, total: Number(total) || null, text: text ?? "" };
}
