/** Updates one turn, or one item of a turn, and leaves everything else untouched. */

import { codeResult } from "./code-results.js";
import { itemOf, placeOf, unfinishedOf, withItem } from "./items.js";
import { partsOf, wordsOf } from "../content-parts.js";

export function newTurn(number, key = `turn-${number}`) {
  return {
    key, number, status: "queued", message: null, versions: 0, items: [],
    agent: null, speaker: null, durationMs: null, usage: null, codeChanges: [], notice: "",
  };
}

/** Completes a turn without a message to answer, such as an operator's message or a handoff. */
export function settled(turn) {
  return turn.status === "queued" && !turn.message ? { ...turn, status: "completed" } : turn;
}

/** Changes the turn with that number, creating it if it is not known yet. */
export function changeTurn(state, number, change) {
  const at = state.turns.findLastIndex((turn) => turn.number === number);
  if (at < 0) return { ...state, turns: [...state.turns, change(newTurn(number))] };
  const changed = change(state.turns[at]);
  return changed === state.turns[at] ? state : { ...state, turns: state.turns.with(at, changed) };
}

/** Replaces the item with the same key, or appends it. */
export function putItem(turn, item) {
  return { ...turn, items: withItem(turn.items, item) };
}

/** Inserts an item right after the one with that key. */
export function insertItemAfter(turn, key, item) {
  return { ...turn, items: turn.items.toSpliced(placeOf(turn.items, key) + 1, 0, item) };
}

function withoutItem(turn, key) {
  const place = placeOf(turn.items, key);
  return place < 0 ? turn : { ...turn, items: turn.items.toSpliced(place, 1) };
}

/** Replaces a streamed message with the complete one; removes it if it is empty and there is nothing to tell about it. */
export function finishMessage(turn, event, ts, seq) {
  const { message_id: key, sender, recipient, content, partial, operator, notice = "", cut_off: isCutOff = false } = event;
  const parts = partsOf(content);
  const text = wordsOf(parts);
  const isPlain = parts.every((part) => part.kind === "text");
  if (isPlain && !text.trim() && !notice) return withoutItem(turn, key);
  const result = isPlain && !operator ? codeResult(text) : null;
  if (result) return putItem(turn, { kind: "code-result", key, sender, recipient, ...result, ts, seq });
  const message = { kind: "message", key, sender, recipient, text, parts: isPlain ? null : parts, length: 0, ts };
  const state = partial ? "partial" : "done";
  return putItem(turn, { ...message, state, isOperator: operator === true, notice, isCutOff, seq, ratings: [] });
}

/** Counts Unicode characters; `length` counts some of them twice. */
export function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The first `offset` characters of a text of the given `length`. */
function cutAt(text, length, offset) {
  if (offset >= length) return text;
  return offset === 0 ? "" : Array.from(text).slice(0, offset).join("");
}

/** Appends a streamed piece of a message or of the reasoning before it. A message ends the reasoning. */
export function streamInto(turn, { message_id: key, sender, offset = 0, content = "", kind, within }) {
  const known = itemOf(turn.items, key);
  if (known && known.state !== "streaming") return turn;
  const before = cutAt(known?.text ?? "", known?.length ?? 0, offset);
  const length = Math.min(offset, known?.length ?? 0) + codePoints(content);
  const isReasoning = kind === "reasoning";
  const item = { ...known, kind: isReasoning ? "reasoning" : "message", key, sender, text: before + content, length };
  return putItem(isReasoning ? turn : endReasoning(turn, { sender, within }), { ...item, state: "streaming" });
}

/** Replaces streamed reasoning with the complete text, placing it before the message that followed it. */
export function onReasoning(turn, { message_id: key, sender, content, within, duration_ms: durationMs = null }, ts) {
  if (typeof content !== "string" || !content.trim()) return turn;
  const item = { kind: "reasoning", key, sender, text: content, length: 0, state: "done", durationMs, ts };
  const isSaid = (each) => each.kind === "message" && each.state === "streaming" && isBy(each, sender, within);
  const said = unfinishedOf(turn.items).find(isSaid);
  if (!said || itemOf(turn.items, key)) return putItem(turn, item);
  return { ...turn, items: turn.items.toSpliced(placeOf(turn.items, said.key), 0, item) };
}

/** Ends an agent's reasoning that is still streaming. Other agents may go on with theirs. */
export function endReasoning(turn, { sender, within }) {
  const isOpen = (item) => item.kind === "reasoning" && item.state === "streaming" && isBy(item, sender, within);
  const open = unfinishedOf(turn.items).filter(isOpen);
  return open.reduce((each, item) => putItem(each, { ...item, state: "done" }), turn);
}

function isBy(item, sender, within) {
  return item.sender === sender && (item.within ?? null) === (within ?? null);
}
