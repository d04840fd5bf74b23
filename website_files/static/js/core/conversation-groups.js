/**
 * The list of conversations in groups: those that are pinned, then by the day of the last change in the reader's time zone.
 *
 * @typedef {import("../app/conversation-list.js").Entry} Entry
 * @typedef {{key: string, title: string, entries: Entry[]}} Group
 */

import { monthName } from "./format.js";
import { t } from "./words.js";

/** The latest days, with the number of days before today at which each begins. */
const RECENT = [
  { key: "today", from: 0, title: () => t`Today` },
  { key: "yesterday", from: 1, title: () => t`Yesterday` },
  { key: "week", from: 7, title: () => t`Previous 7 days` },
  { key: "month", from: 30, title: () => t`Previous 30 days` },
];

/** Groups entries, which stay in order. @param {Entry[]} entries newest first @param {Entry[]} pinned @returns {Group[]} */
export function grouped(entries, pinned, now) {
  const groups = new Map();
  const isPinned = new Set(pinned.map(({ id }) => id));
  if (pinned.length) groups.set("pinned", { key: "pinned", title: t`Pinned`, entries: pinned });
  const recent = RECENT.map((each) => ({ ...each, start: dayStart(now, -each.from) }));
  for (const entry of entries) {
    if (isPinned.has(entry.id)) continue;
    const at = Date.parse(entry.updated) || now;
    const { key, title } = recent.find(({ start }) => at >= start) ?? month(at, now);
    if (!groups.has(key)) groups.set(key, { key, title: title(), entries: [] });
    groups.get(key).entries.push(entry);
  }
  return [...groups.values()];
}

/** When the next day begins. */
export function nextMidnight(now) {
  return dayStart(now, 1);
}

/**
 * Tells how exactly the time has to be said that tells conversations with the same title apart.
 * @param {Entry[]} entries @returns {(entry: Entry) => ""|"minute"|"second"}
 */
export function likeness(entries) {
  const titles = repeated(entries.map(({ title }) => title));
  const minutes = repeated(entries.map(begun));
  return (entry) => (!titles.has(entry.title) ? "" : minutes.has(begun(entry)) ? "second" : "minute");
}

function begun({ title, created = "" }) {
  return title && `${created.slice(0, "2026-12-31T23:59".length)} ${title}`;
}

/** Returns the texts that come more than once. */
function repeated(texts) {
  const seen = new Set();
  return new Set(texts.filter((text) => text && (seen.has(text) || !seen.add(text))));
}

/** The beginning of a day, counted from today; days are longer or shorter when the clocks change. */
function dayStart(now, days) {
  const today = new Date(now);
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() + days).getTime();
}

function month(at, now) {
  const date = new Date(at);
  return { key: `${date.getFullYear()}-${date.getMonth() + 1}`, title: () => monthName(at, now) };
}
