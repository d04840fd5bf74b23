/**
 * Turn items for everything other than messages and tool calls: handoffs, file changes, nested chats and raw AG2 events.
 *
 * @typedef {{kind: "handoff", key: string, from: string, to: string, reason: string,
 *   how: "agents"|"wanted"|"taken"|"returned", ts?: string}} Handoff
 * @typedef {{kind: "file", key: string, path: string, how: "created"|"modified"|"deleted", size: number|null, by: string,
 *   isUpload: boolean}} WrittenFile A file changed during a turn.
 * @typedef {{kind: "chat-start", key: string, from: string, to: string, ts?: string}} ChatStart The start of a nested chat.
 * @typedef {{kind: "event", key: string, type: string, content: object, ts?: string}} OtherEvent
 */

import { withEffect } from "./folded-steps.js";
import { within } from "./inner-chats.js";
import { itemOf } from "./items.js";
import { changeTurn, newTurn, putItem, settled } from "./turns.js";

export function withHandoff(state, { from, to, reason, kind: how, within: holder }, { turn, seq, ts }) {
  const item = { kind: "handoff", key: `handoff-${seq}`, from: from ?? "", to: to ?? "", reason: reason ?? "", how, ts };
  return withItem(state, item, turn, holder);
}

export function onFileChanged(state, { path = "", kind: how, size, by }, { turn }) {
  const file = { kind: "file", key: `file-${path}`, path, how, size: size ?? null, by: by ?? "", isUpload: !turn };
  const changed = withItem(state, file, turn);
  return turn ? changeTurn(changed, turn, (each) => withEffect(each, path)) : changed;
}

/** Takes uploads back from the end of the conversation that the next message shows as its own. */
export function withoutUploads(turns, files) {
  const last = turns.at(-1);
  if (last?.number !== 0) return turns;
  const paths = new Set(files.map(({ path }) => path));
  const items = last.items.filter((item) => !(item.kind === "file" && item.isUpload && paths.has(item.path)));
  return items.length ? turns.with(-1, { ...last, items }) : turns.slice(0, -1);
}

/** Marks the start of a chat within a nested chat; anywhere else it is just another AG2 event. */
export function onChatBegins(turn, content, ts, event) {
  const { sender, recipient } = content.chat_info ?? content;
  if (!content.within) return onOtherEvent(turn, content, ts, event);
  const chat = { from: nameOf(sender), to: nameOf(recipient), ts };
  return putItem(turn, { kind: "chat-start", key: `chat-start-${event.seq}`, ...chat });
}

export function onOtherEvent(turn, content, ts, { seq, type }) {
  return putItem(turn, { kind: "event", key: `event-${seq}`, type, content, ts });
}

/** Adds an item to its turn. One that belongs to no turn is placed between two turns, where it happened. */
function withItem(state, item, number, holder) {
  if (number) return changeTurn(state, number, (turn) => within(holder, turn, settled(putMerged(turn, item))));
  const last = state.turns.at(-1);
  if (last?.number === 0) return { ...state, turns: state.turns.with(-1, putMerged(last, item)) };
  return { ...state, turns: [...state.turns, { ...settled(newTurn(0, item.key)), items: [item] }] };
}

/** A file created and then modified within the turn still counts as created. */
function putMerged(turn, item) {
  const known = itemOf(turn.items, item.key);
  const isNew = known?.how === "created" && item.how === "modified";
  return putItem(turn, isNew ? { ...item, how: "created" } : item);
}

function nameOf(agent) {
  return typeof agent === "string" ? agent : agent?.name ?? "";
}
