/**
 * What happens besides talk and tools, as items of the conversation. Pure.
 *
 * @typedef {{kind: "handoff", key: string, from: string, to: string, reason: string,
 *   how: "agents"|"wanted"|"taken"|"returned", ts?: string}} Handoff
 * @typedef {{kind: "file", key: string, path: string, how: "created"|"modified"|"deleted", size: number|null, by: string,
 *   isUpload: boolean}} WrittenFile what became of a file in the course of a turn
 * @typedef {{kind: "talk", key: string, from: string, to: string, ts?: string}} Talk the start of a nested chat
 * @typedef {{kind: "event", key: string, type: string, content: object, ts?: string}} OtherEvent
 */

import { changeTurn, newTurn, putItem, settled } from "./turns.js";

export function withHandoff(state, { from, to, reason, kind: how }, { turn, seq, ts }) {
  const item = { kind: "handoff", key: `handoff-${seq}`, from: from ?? "", to: to ?? "", reason: reason ?? "", how, ts };
  return withItem(state, item, turn);
}

export function onFileChanged(state, { path = "", kind: how, size, by }, { turn }) {
  const file = { kind: "file", key: `file-${path}`, path, how, size: size ?? null, by: by ?? "", isUpload: !turn };
  return withItem(state, file, turn);
}

/** AG2 begins a chat; outside of a nested one it is an event like others. */
export function onChatBegins(turn, content, ts, event) {
  const { sender, recipient } = content.chat_info ?? content;
  if (!content.within) return onOtherEvent(turn, content, ts, event);
  return putItem(turn, { kind: "talk", key: `talk-${event.seq}`, from: nameOf(sender), to: nameOf(recipient), ts });
}

export function onOtherEvent(turn, content, ts, { seq, type }) {
  return putItem(turn, { kind: "event", key: `event-${seq}`, type, content, ts });
}

/** What belongs to no turn stands where it happened, between two of them. */
function withItem(state, item, number) {
  if (number) return changeTurn(state, number, (turn) => settled(putMerged(turn, item)));
  const last = state.turns.at(-1);
  if (last?.number === 0) return { ...state, turns: state.turns.with(-1, putMerged(last, item)) };
  return { ...state, turns: [...state.turns, { ...settled(newTurn(0, item.key)), items: [item] }] };
}

/** A file that was made and then written again is still a new one. */
function putMerged(turn, item) {
  const known = turn.items.find((each) => each.key === item.key);
  const isNew = known?.how === "created" && item.how === "modified";
  return putItem(turn, isNew ? { ...item, how: "created" } : item);
}

function nameOf(agent) {
  return typeof agent === "string" ? agent : agent?.name ?? "";
}
