/**
 * Messages the server has not confirmed yet, kept across reloads. Each is stored under its own key, so that two tabs
 * with the same session never overwrite each other's; if both send one, the server recognizes it by its id.
 * Messages written before the session has an id belong to this tab alone.
 *
 * @typedef {import("../core/session/session-state.js").Message & {agent?: string}} Unsent
 */

import { device, tab } from "./storage.js";

/** Loads a session's unsent messages, oldest first. @returns {Unsent[]} */
export function load(sessionId) {
  const store = storeOf(sessionId);
  const messages = store.keys(prefix(sessionId)).map((key) => store.get(key));
  return messages.filter((message) => message?.id && (message.text || message.attachments)).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

export function add(sessionId, message) {
  storeOf(sessionId).set(prefix(sessionId) + message.id, message);
}

export function remove(sessionId, id) {
  storeOf(sessionId).remove(prefix(sessionId) + id);
}

/** Moves messages to another session: a new one that got its id, or one that replaces a lost session. */
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
