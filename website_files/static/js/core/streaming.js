/** Text that grows: what an agent says, and what it thinks before. Pure. */

import { codePoints, cutAt, putItem } from "./turns.js";

/** A piece of a message, or of the thoughts before it. What is said ends the thoughts. */
export function streamInto(turn, { message_id: key, sender, offset = 0, content = "", kind }) {
  const known = turn.items.find((item) => item.key === key);
  if (known && known.state !== "streaming") return turn;
  const before = cutAt(known?.text ?? "", known?.length ?? 0, offset);
  const length = Math.min(offset, known?.length ?? 0) + codePoints(content);
  const isThought = kind === "reasoning";
  const item = { ...known, kind: isThought ? "reasoning" : "message", key, sender, text: before + content, length };
  return putItem(isThought ? turn : endThoughts(turn), { ...item, state: "streaming" });
}

/** The whole thoughts, in the place of what was streamed of them; they come before what was said meanwhile. */
export function onReasoning(turn, { message_id: key, sender, content }, ts) {
  if (typeof content !== "string" || !content.trim()) return turn;
  const item = { kind: "reasoning", key, sender, text: content, length: 0, state: "done", ts };
  const isSaid = (each) => each.kind === "message" && each.state === "streaming" && each.sender === sender;
  const at = turn.items.findIndex(isSaid);
  const isKnown = turn.items.some((each) => each.key === key);
  return isKnown || at < 0 ? putItem(turn, item) : { ...turn, items: turn.items.toSpliced(at, 0, item) };
}

export function endThoughts(turn) {
  const isOpen = (item) => item.kind === "reasoning" && item.state === "streaming";
  if (!turn.items.some(isOpen)) return turn;
  return { ...turn, items: turn.items.map((item) => (isOpen(item) ? { ...item, state: "done" } : item)) };
}
