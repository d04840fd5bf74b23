/** Who has the conversation: the agents, or a human. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { handoverWords } from "../../website_files/static/js/core/session/handover.js";
import { asked, confirmed, fold, started } from "./frames.mjs";

const handoff = (kind, more = {}, turn = 1) => ["handoff", { kind, from: "concierge", to: "human", reason: "", ...more }, turn];
const begun = [confirmed(), asked(), started()];

test("a conversation goes from waiting to a human and back to the agents", () => {
  const waiting = fold([...begun, handoff("wanted", { reason: "Angry" })]);
  assert.deepEqual([waiting.held.state, waiting.held.reason], ["waiting", "Angry"]);

  const taken = fold([handoff("taken", { from: "human", to: "Ann" }, 0)], waiting);
  assert.deepEqual([taken.held.state, taken.held.operator, taken.held.reason], ["taken", "Ann", "Angry"]);

  assert.equal(fold([handoff("returned", { from: "Ann", to: "concierge" }, 2)], taken).held, null);
});

test("hand-offs between agents do not make the conversation held", () => {
  assert.equal(fold([...begun, handoff("agents", { to: "weather" })]).held, null);
});

test("replayed events do not change the current holder", () => {
  const held = { state: "waiting", operator: "", reason: "Angry", since: "2026-11-21T05:09:42.304Z", operators: 2 };
  const state = fold([confirmed({ last_seq: 3, held }), asked(), started(), handoff("wanted", { reason: "Before" })]);

  assert.deepEqual(state.held, held);
});

test("a waiting person knows whether operators are there", () => {
  const waiting = fold([...begun, handoff("wanted")]);
  assert.match(handoverWords(waiting.held), /Nobody is there/);

  const seen = fold([["operators", { there: 1 }]], waiting);
  assert.match(handoverWords(seen.held), /Somebody is there/);
  assert.equal(fold([["operators", { there: 1 }]], fold(begun)).held, null);
});

test("an operator's message is no longer pending once its event arrives", () => {
  const pending = { ...fold(begun), pending: [{ id: "o1", text: "Hello" }] };
  const state = fold([["text", { content: "Hello", sender: "Ann", message_id: "o1", operator: true }, 2]], pending);

  assert.deepEqual(state.pending, []);
});

test("a deleted conversation says so, and nothing else", () => {
  const state = fold([["error", { code: "session_deleted", message: "This conversation was deleted." }]], fold(begun));

  assert.equal(state.isDeleted, true);
  assert.deepEqual(state.errors, []);
});
