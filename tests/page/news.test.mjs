/** What is told to somebody who is not looking, and which conversations are unread. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { newsOf } from "../../website_files/static/js/core/news.js";
import { isUnread, seenSoFar, withSeen } from "../../website_files/static/js/core/unread.js";
import { asked, confirmed, ended, fold, said, started, wants } from "./frames.mjs";

const begun = [confirmed({ title: "Weather" }), asked(), started()];
const news = (...frames) => {
  const [type, content, turn] = frames.at(-1);
  return newsOf({ type, content, turn, seq: 9 }, fold([...begun, ...frames]));
};

test("a question is told with who asks, an answer with its words", () => {
  const question = news(wants("q1"));
  assert.deepEqual([question.kind, question.key, question.title], ["question", "q1", "Weather"]);
  assert.equal(question.text, "Forecaster asks: Which city?");
  const answer = news(said("It is *sunny*."), ended());
  assert.deepEqual([answer.kind, answer.key, answer.text], ["answer", "s1-turn-1", "It is *sunny*."]);
  assert.equal(news(ended("failed")).text, "The answer failed.");
});

test("tokens, what others are asked, and a turn that somebody stopped are no news", () => {
  assert.equal(news(said("It is")), null);
  assert.equal(news(wants("q1", { by: "operator" })), null);
  assert.equal(news(ended("stopped")), null);
});

test("a conversation is unread from what was seen last, and stays so across reloads", () => {
  const old = { id: "a", updated: "2026-01-01T00:00:00Z" };
  const seen = seenSoFar([old]);
  const newer = { ...old, updated: "2026-01-02T00:00:00Z" };
  assert.equal(isUnread(old, seen), false);
  assert.equal(isUnread(newer, seen), true);
  const after = JSON.parse(JSON.stringify(withSeen(seen, newer)));
  assert.equal(isUnread(newer, after), false);
  assert.equal(withSeen(after, newer), after);
  assert.equal(isUnread({ id: "b", updated: "2026-01-02T00:00:00Z" }, after), true);
});

test("only so many are remembered, the latest", () => {
  let seen = seenSoFar([]);
  for (let number = 0; number < 1005; number++) seen = withSeen(seen, { id: `c${number}`, updated: `2026-01-01T${number}` });
  assert.equal(Object.keys(seen.at).length, 1000);
  assert.ok(seen.at.c1004);
});
