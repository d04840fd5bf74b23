/**
 * Messages that the server has not confirmed, kept over a reload. One entry a message, so that two tabs on one session
 * never overwrite each other's; a message that both send counts once, by its id. What was written before its session
 * had an id belongs to this tab alone.
 *
 * @typedef {import("../core/session-state.js").Message & {agent?: string}} Unsent
 */

import { device, tab } from "./storage.js";

/** @returns {Unsent[]} in the order they were written */
export function load(sessionId) {
  const store = storeOf(sessionId);
  const messages = store.keys(prefix(sessionId)).map((key) => store.get(key));
  return messages.filter((message) => message?.id && message.text).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

export function add(sessionId, message) {
  storeOf(sessionId).set(prefix(sessionId) + message.id, message);
}

export function remove(sessionId, id) {
  storeOf(sessionId).remove(prefix(sessionId) + id);
}

/** The messages belong to another session now: a new one got its id, or one that is gone was replaced. */
export function move(from, to, messages) {
  for (const message of messages) {
    add(to, message);
    remove(from, message.id);
  }
}

function storeOf(sessionId) {
  return sessionId ? device : tab;
}

function prefix(sessionId) {
  return `unsent.${sessionId ?? "new"}.`;
}
