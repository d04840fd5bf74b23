/** Small pure helpers to change one turn, or one item of a turn, and leave all others as they are. */

import { partsOf, wordsOf } from "./content-parts.js";

export function newTurn(number, key = `turn-${number}`) {
  return {
    key, number, status: "queued", message: null, versions: 0, items: [],
    agent: null, speaker: null, durationMs: null, usage: null, codeChanges: [],
  };
}

/** Nothing more is to come where no message waits for an answer: an operator's word, a hand-over. */
export function settled(turn) {
  return turn.status === "queued" && !turn.message ? { ...turn, status: "completed" } : turn;
}

/** Changes the turn with that number; one that nobody told of yet is made. */
export function changeTurn(state, number, change) {
  const at = state.turns.findLastIndex((turn) => turn.number === number);
  if (at < 0) return { ...state, turns: [...state.turns, change(newTurn(number))] };
  const changed = change(state.turns[at]);
  return changed === state.turns[at] ? state : { ...state, turns: state.turns.with(at, changed) };
}

/** Replaces the item with the same key, or adds it at the end. */
export function putItem(turn, item) {
  const at = turn.items.findIndex((each) => each.key === item.key);
  return { ...turn, items: at < 0 ? [...turn.items, item] : turn.items.with(at, item) };
}

export function putItemBehind(turn, key, item) {
  const at = turn.items.findIndex((each) => each.key === key) + 1;
  return { ...turn, items: turn.items.toSpliced(at, 0, item) };
}

/** The whole takes the place of what was streamed. A message that turns out to be empty disappears. */
export function finishMessage(turn, { message_id: key, sender, content, partial, operator }, ts) {
  const parts = partsOf(content);
  const text = wordsOf(parts);
  const isPlain = parts.every((part) => part.kind === "text");
  if (isPlain && !text.trim()) return { ...turn, items: turn.items.filter((item) => item.key !== key) };
  const message = { kind: "message", key, sender, text, parts: isPlain ? null : parts, length: 0, ts };
  return putItem(turn, { ...message, state: partial ? "partial" : "done", isOperator: operator === true });
}

/** Items that are new or changed belong to the nested chat that is held by `agent`. */
export function within(agent, before, turn) {
  if (!agent || turn.items === before.items) return turn;
  const known = new Set(before.items);
  return { ...turn, items: turn.items.map((item) => (known.has(item) ? item : { ...item, within: agent })) };
}

/** How many Unicode characters there are; JavaScript's own `length` counts some of them twice. */
export function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The first `offset` characters of a text that has `length`. */
export function cutAt(text, length, offset) {
  if (offset >= length) return text;
  return offset === 0 ? "" : Array.from(text).slice(0, offset).join("");
}
