/** The arguments of a tool call as fields, and the time a question is open. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { argumentFields, readArguments } from "../../website_files/static/js/core/argument-fields.js";
import { timeLeft } from "../../website_files/static/js/core/time-left.js";

const GIVEN = { hotel: "Sandviken\n<b>", nights: 2.5, late: false, guests: ["Ada"], note: null };

test("each argument has a field of its kind, and comes back as it was", () => {
  const fields = argumentFields(GIVEN);
  assert.deepEqual(fields.map(({ kind }) => kind), ["text", "number", "boolean", "json", "json"]);
  const read = readArguments(fields.map((each) => ({ ...each, isOn: each.text === "true" })));
  assert.deepEqual(read, { values: GIVEN });
});

test("what cannot be read says which field it is", () => {
  const problem = (field) => readArguments([field]).problem;
  assert.deepEqual(problem({ name: "nights", kind: "number", text: "two" }), { name: "nights", words: "nights is a number." });
  assert.equal(problem({ name: "nights", kind: "number", text: " " }).name, "nights");
  assert.match(problem({ name: "guests", kind: "json", text: "[" }).words, /^This is not JSON/);
  assert.match(problem({ name: null, kind: "json", text: "[]" }).words, /^Arguments are an object/);
  assert.deepEqual(readArguments([{ name: null, kind: "json", text: '{"a": 1}' }]), { values: { a: 1 } });
});

test("the time left changes by hours, minutes, then seconds", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const left = (ms) => timeLeft(new Date(now + ms).toISOString(), now);
  assert.deepEqual(left(3 * 3_600_000), { words: "3 hours left", next: 3_600_000 });
  assert.deepEqual(left(200_000), { words: "4 minutes left", next: 20_000 });
  assert.deepEqual(left(1_500), { words: "2 seconds left", next: 500 });
  assert.deepEqual(left(-1), { words: "Time is up", next: 0 });
  for (const none of [null, "soon"]) assert.deepEqual(timeLeft(none, now), { words: "", next: 0 });
});
