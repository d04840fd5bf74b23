/**
 * The list of past conversations, kept on this device only: the server has no accounts to keep it for.
 *
 * @typedef {{id: string, title: string, agent: string, at: number}} Entry `at` in milliseconds
 */

import { device } from "./storage.js";

const KEY = "history";
const LONGEST = 200; // entries
const TITLE = 60; // characters

/** @returns {Entry[]} newest first */
export function entries() {
  const list = device.get(KEY, []);
  return Array.isArray(list) ? list.filter((entry) => typeof entry?.id === "string") : [];
}

/** Notes that something was said; a conversation keeps the title it first had. */
export function touch({ id, title, agent, at }) {
  const known = entries().find((entry) => entry.id === id);
  const entry = { id, title: known?.title || shorten(title), agent, at: Math.max(at, known?.at ?? 0) };
  save([entry, ...entries().filter((each) => each.id !== id)].sort((a, b) => b.at - a.at));
}

export function forget(id) {
  save(entries().filter((entry) => entry.id !== id));
}

/** @returns {string} the first line, cut at a word where one ends near the limit */
export function shorten(text, limit = TITLE) {
  const line = text.trim().split("\n", 1)[0].replace(/\s+/g, " ");
  const characters = Array.from(line);
  if (characters.length <= limit) return line;
  const cut = characters.slice(0, limit).join("");
  const end = cut.lastIndexOf(" ");
  return `${end > cut.length / 2 ? cut.slice(0, end) : cut}…`;
}

function save(list) {
  device.set(KEY, list.slice(0, LONGEST));
}
