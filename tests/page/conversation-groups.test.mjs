/** The groups of the list of conversations: pinned, and by day. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { grouped, likeness, nextMidnight } from "../../website_files/static/js/core/conversation-groups.js";

const at = (...parts) => new Date(...parts).toISOString();
const entry = (id, updated, title = id) => ({ id, title, updated });
const shape = (groups) => groups.map(({ title, entries }) => [title, entries.map(({ id }) => id).join(" ")]);

test("conversations are grouped by calendar days of the reader's time zone, then by months", () => {
  const now = new Date(2026, 10, 27, 0, 5).getTime();
  const entries = [
    entry("ahead", at(2026, 10, 27, 0, 20)), // a clock that is fast
    entry("now", at(2026, 10, 27, 0, 1)),
    entry("late", at(2026, 10, 26, 23, 59)),
    entry("early", at(2026, 10, 26, 0, 0)),
    entry("before", at(2026, 10, 25, 23, 59)),
    entry("seven", at(2026, 10, 20, 0, 0)),
    entry("eight", at(2026, 10, 19, 23, 59)),
    entry("thirty", at(2026, 9, 28, 0, 0)),
    entry("october", at(2026, 9, 27, 12, 0)),
    entry("last year", at(2025, 11, 31, 12, 0)),
  ];
  assert.deepEqual(shape(grouped(entries, [], now)), [
    ["Today", "ahead now"],
    ["Yesterday", "late early"],
    ["Previous 7 days", "before seven"],
    ["Previous 30 days", "eight thirty"],
    ["October", "october"],
    ["December 2025", "last year"],
  ]);
});

test("pinned conversations come first, in their own order, and only once", () => {
  const now = new Date(2026, 10, 27, 12).getTime();
  const [a, b, c] = ["a", "b", "c"].map((id) => entry(id, at(2026, 10, 27, 10)));
  const old = entry("old", at(2024, 1, 1));
  assert.deepEqual(shape(grouped([a, b, c], [old, b], now)), [["Pinned", "old b"], ["Today", "a c"]]);
});

test("the next day begins at midnight, however long this one is", () => {
  for (const month of [2, 9]) {
    for (let date = 1; date <= 31; date += 1) {
      const midnight = nextMidnight(new Date(2026, month, date, 0, 30).getTime());
      assert.equal(midnight, new Date(2026, month, date + 1).getTime());
    }
  }
});

test("conversations with the same title are told apart by when they began; no title is none", () => {
  const begun = [
    ["Oslo?", "2026-11-27T10:00:01Z"], ["Oslo?", "2026-11-27T10:00:59Z"], ["Oslo?", "2026-11-27T10:01:00Z"],
    ["Rome?", "2026-11-27T10:00:01Z"], ["", "2026-11-27T10:00:01Z"], ["", "2026-11-27T10:00:01Z"],
  ];
  const entries = begun.map(([title, created]) => ({ title, created }));
  assert.deepEqual(entries.map(likeness(entries)), ["second", "second", "minute", "", "", ""]);
});
