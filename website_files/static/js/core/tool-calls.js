/**
 * The three events of a tool call (asked for, started, done) as one item of its turn, found by the call's id.
 * Some model servers give every call of a turn the same id: a call that is done is never taken for the next one.
 */

import { resultParts, wordsOf } from "./content-parts.js";
import { finishMessage, putItem } from "./turns.js";

export function onToolCall(turn, { message_id: messageId, sender, content, tool_calls: calls }, ts) {
  const spoken = finishMessage(turn, { message_id: messageId, sender, content }, ts);
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

/** Repeats what is known, except for a call that no function was run for. */
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

/** A call that was denied is over, too, but still gets the words that the model is told. */
function ended(call, content, isGood) {
  const parts = resultParts(content ?? "");
  const isPlain = parts.every((part) => part.kind === "text");
  const state = call.state === "denied" ? "denied" : isGood ? "ok" : "failed";
  return { ...call, result: wordsOf(parts), parts: isPlain ? null : parts, progress: null, state };
}

export function openCall(turn, callId, name) {
  const isMeant = (item) => (callId ? item.callId === callId : item.name === name);
  const isOpen = ({ state, result }) => state === "denied" ? result === null : ["running", "waiting"].includes(state);
  return turn.items.find((item) => item.kind === "tool" && isOpen(item) && isMeant(item));
}
