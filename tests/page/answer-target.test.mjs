/** Which open question the composer answers, and how what it says about an approval is read. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MESSAGE, answerTarget, denial, verdictOf } from "../../website_files/static/js/core/session/answer-target.js";
import { turnActions } from "../../website_files/static/js/core/session/turn-presentation.js";
import { sendAnswer } from "../../website_files/static/js/core/session/questions.js";
import { asked, confirmed, ended, fold, replied, started, wants } from "./frames.mjs";

const begun = [confirmed(), asked(), started()];
const target = (frames, chosen = null) => answerTarget(fold([...begun, ...frames]), chosen);

test("without an open question the text is a message", () => {
  for (const frames of [[], [wants(), replied("Oslo")], [wants(), ended("stopped")]]) {
    assert.deepEqual(target(frames), { kind: "message", question: null, questions: [] });
  }
  assert.equal(answerTarget(undefined, null).kind, "message");
});

test("the oldest open question is answered, or the one that was chosen", () => {
  const two = [wants("q1"), wants("q2")];
  assert.equal(target(two).question.requestId, "q1");
  assert.equal(target(two, "q2").question.requestId, "q2");
  assert.equal(target([...two, replied("Oslo")], "q1").question.requestId, "q2");
});

test("a message can be chosen, and says which question goes on waiting", () => {
  const { kind, question } = target([wants("q1")], MESSAGE);
  assert.deepEqual([kind, question.requestId], ["message", "q1"]);
});

test("a password is answered in its own field, and only if nothing else is asked", () => {
  const password = wants("q1", { password: true });
  assert.equal(target([password]).kind, "password");
  assert.deepEqual([target([password, wants("q2")])].map(({ kind, question }) => [kind, question.requestId]), [["answer", "q2"]]);
});

test("questions for operators, for readers, and those that were just answered are not asked", () => {
  assert.equal(target([wants("q1", { by: "operator" })]).question, null);
  assert.equal(answerTarget(fold([confirmed({ role: "viewer" }), asked(), started(), wants()]), null).question, null);
  assert.equal(answerTarget(sendAnswer(fold([...begun, wants()]), "q1", { text: "Oslo" }), null).question, null);
});

test("an approval takes a plain yes, or a no with its reason", () => {
  assert.equal(target([wants("q1", { tool: { name: "book", arguments: {} } })]).kind, "verdict");
  for (const yes of ["yes", " Y ", "ok", "Approve."]) assert.equal(verdictOf(yes), "approve");
  for (const no of ["no", "N.", "deny"]) assert.equal(verdictOf(no), "deny");
  assert.equal(verdictOf("No, too expensive"), "deny, too expensive");
  assert.equal(verdictOf("no: yes means no"), "deny, yes means no");
  for (const neither of ["yes, but only two nights", "nobody knows", "Now?", "go on"]) assert.equal(verdictOf(neither), null);
  assert.equal(denial("  "), "deny");
});

test("a message that waits cannot jump the queue while the running turn asks", () => {
  const waiting = [confirmed({ name: "user" }), asked(), started(), asked(2, "m2")];
  const state = fold(waiting);
  const can = (state) => turnActions(state, true)(state.turns[1]);
  assert.equal(can(state).includes("send-now"), true);
  assert.equal(can(fold([wants()], state)).includes("send-now"), false);
  assert.equal(can(fold([wants(), replied("Oslo")], state)).includes("send-now"), true);
});
