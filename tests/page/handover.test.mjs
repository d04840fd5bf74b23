/** Who has the conversation: the agents, or a human. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { handoverWords } from "../../website_files/static/js/core/handover.js";
import { asked, confirmed, fold, started } from "./frames.mjs";

const handoff = (kind, more = {}, turn = 1) => ["handoff", { kind, from: "concierge", to: "human", reason: "", ...more }, turn];
const begun = [confirmed(), asked(), started()];

test("a wish for a human, a human, and the agents again", () => {
  const waiting = fold([...begun, handoff("wanted", { reason: "Angry" })]);
  assert.deepEqual([waiting.held.state, waiting.held.reason], ["waiting", "Angry"]);

  const taken = fold([handoff("taken", { from: "human", to: "Ann" }, 0)], waiting);
  assert.deepEqual([taken.held.state, taken.held.operator, taken.held.reason], ["taken", "Ann", "Angry"]);

  assert.equal(fold([handoff("returned", { from: "Ann", to: "concierge" }, 2)], taken).held, null);
});

test("agents that hand over to each other hold nothing", () => {
  assert.equal(fold([...begun, handoff("agents", { to: "weather" })]).held, null);
});

test("how it is now is not changed by what is replayed", () => {
  const held = { state: "waiting", operator: "", reason: "Angry", since: "2026-11-21T05:09:42.304Z", operators: 2 };
  const state = fold([confirmed({ last_seq: 3, held }), asked(), started(), handoff("wanted", { reason: "Before" })]);

  assert.deepEqual(state.held, held);
});

test("whoever waits knows whether somebody is there", () => {
  const waiting = fold([...begun, handoff("wanted")]);
  assert.match(handoverWords(waiting.held), /Nobody is there/);

  const seen = fold([["operators", { there: 1 }]], waiting);
  assert.match(handoverWords(seen.held), /Somebody is there/);
  assert.equal(fold([["operators", { there: 1 }]], fold(begun)).held, null);
});

test("an operator's own word is no longer on its way once it is there", () => {
  const pending = { ...fold(begun), pending: [{ id: "o1", text: "Hello" }] };
  const state = fold([["text", { content: "Hello", sender: "Ann", message_id: "o1", operator: true }, 2]], pending);

  assert.deepEqual(state.pending, []);
});

test("a conversation that was deleted says so, and says nothing else", () => {
  const state = fold([["error", { code: "session_deleted", message: "This conversation was deleted." }]], fold(begun));

  assert.equal(state.isDeleted, true);
  assert.deepEqual(state.errors, []);
});
