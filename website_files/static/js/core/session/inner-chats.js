/**
 * Inner chats: what agents say to each other while one of them works on its answer, or on a call of a tool.
 * They form a tree, since each of these agents may hold inner chats, too, and several may do so at the same time.
 *
 * @typedef {{kind: "nested-chat", key: string, of: string, sender: string, ts?: string, items: object[], steps: number,
 *   isLive: boolean}} InnerChat `of` is the agent that holds it. `steps` counts what was said and done,
 *   also in the chats inside. It is live while it goes on.
 */

import { withItem } from "./items.js";

const SAID = new Set(["message", "tool", "code-result"]);
const ACTIVE = new Set(["streaming", "running", "waiting"]);

/** Marks new and changed items as part of the inner chat that `agent` holds, during the tool call that it waits for. */
export function within(agent, before, turn) {
  if (!agent || turn.items === before.items) return turn;
  const { items } = before;
  const mark = (marked, item, place) => {
    if (item === items[place] || items.includes(item)) return marked;
    const old = item.within === agent ? item : items[place];
    const isOld = old?.key === item.key && old.within === agent;
    return withItem(marked, { ...item, within: agent, call: isOld ? old.call : runningCall(before, agent) });
  };
  return { ...turn, items: turn.items.reduce(mark, turn.items) };
}

/** Key of the tool call that the agent waits for, or null if there is none or several at once. */
function runningCall(turn, agent) {
  const isRunning = (item) => item.kind === "tool" && item.sender === agent && item.isBegun && item.state === "running";
  const [call, ...others] = turn.items.filter(isRunning);
  return call && others.length === 0 ? call.key : null;
}

/**
 * Arranges items as a tree. An inner chat stands where it began, or in the tool call during which it was held: as
 * `inner` of that call.
 */
export function arranged(items, isOver) {
  const tree = new Tree();
  for (const item of items) tree.add(item);
  return tree.finished(isOver);
}

class Tree {
  #root = newChat(null, null);
  #chats = []; // all inner chats; outer ones come first
  #held = new Map(); // agent → the inner chat that it holds now
  #places = new Map(); // agent → the chat in which it was heard last
  #calls = new Map(); // key → { chat, index }

  add(item) {
    const chat = this.#chatOf(item);
    chat.block.items.push(item);
    if (item.kind === "tool") this.#calls.set(item.key, { chat, index: chat.block.items.length - 1 });
    for (const name of [item.sender, item.recipient, item.from, item.to]) {
      if (name && name !== chat.block.of) this.#places.set(name, chat);
    }
    if (SAID.has(item.kind)) this.#said(item, chat);
    for (let each = chat; each?.isPast; each = each.parent) revive(each);
  }

  /** Adds what is known only at the end, from the innermost chats outwards. */
  finished(isOver) {
    for (const { block, call, isPast } of this.#chats.toReversed()) {
      const inner = block.items.map((item) => (item.kind === "nested-chat" ? item : item.inner)).filter(Boolean);
      const isActive = block.items.some((item) => ACTIVE.has(item.state)) || inner.some((each) => each.isLive);
      const goesOn = call ? ACTIVE.has(call.state) : !isPast;
      block.isLive = !isOver && (goesOn || isActive);
      block.steps = block.items.filter((item) => SAID.has(item.kind)).length + sum(inner.map((each) => each.steps));
    }
    return this.#root.block.items;
  }

  #chatOf(item) {
    if (!item.within) return this.#root;
    const call = this.#calls.get(item.call);
    if (call) return call.inner ?? this.#beginInCall(call, item);
    return this.#held.get(item.within) ?? this.#begin(item);
  }

  #begin(item) {
    const parent = this.#places.get(item.within) ?? this.#root;
    const chat = newChat(item, parent, `nested-chat-${this.#chats.length}-${item.within}`);
    this.#chats.push(chat);
    this.#held.set(item.within, chat);
    parent.block.items.push(chat.block);
    parent.held.push(chat);
    return chat;
  }

  #beginInCall(call, item) {
    const { items } = call.chat.block;
    const chat = newChat(item, call.chat, `nested-chat-${item.call}`, items[call.index]); // never past: the call says
    this.#chats.push(chat);
    call.inner = chat;
    items[call.index] = { ...items[call.index], inner: chat.block };
    return chat;
  }

  /** What is said in a chat ends the inner chats before it; the next one of that agent is another. */
  #said({ sender }, chat) {
    if (sender !== chat.block.of) this.#held.delete(sender);
    for (const each of chat.held) each.isPast = true;
    chat.held = [];
  }
}

/** @param {object|null} first the first item @param {object|null} call the tool call during which it is held */
function newChat(first, parent, key, call = null) {
  const { within: of = null, ts } = first ?? {};
  const block = { kind: "nested-chat", key, of, sender: of, ts, items: [], steps: 0, isLive: false };
  return { block, parent, call, held: [], isPast: false };
}

/** Somebody goes on in a chat that seemed to be over, as others were heard meanwhile. */
function revive(chat) {
  chat.isPast = false;
  chat.parent.held.push(chat);
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
