/** Questions and approvals: open, answered by whom, closed; and their wording for people. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { humanPrompt, repliesTo } from "../../website_files/static/js/core/session/questions.js";
import { sendAnswer, unsentAnswers, verdict } from "../../website_files/static/js/core/session/questions.js";
import { isWaiting } from "../../website_files/static/js/core/session/session-state.js";
import {
  asked, called, confirmed, ended, fold, ran, replied, responded, rewound, runs, started, wants,
} from "./frames.mjs";

const begun = [confirmed(), asked(), started()];
const question = (state) => state.turns[0].items.find((item) => item.kind === "question");
const call = (state) => state.turns[0].items.find((item) => item.kind === "tool");
const approval = (call_id = "c1") => wants("q1", { tool: { name: "forecast", arguments: { city: "Oslo" }, call_id } });

test("a question is open until it is answered, then shows who answered what", () => {
  const open = fold([...begun, wants()]);
  const answered = fold([replied("Bergen")], open);

  assert.equal(question(open).state, "open");
  assert.equal(isWaiting(open), true);
  assert.equal(question(answered).state, "answered");
  assert.deepEqual(question(answered).answer, { text: "Bergen", name: "Ada", arguments: null });
  assert.equal(isWaiting(answered), false);
});

test("a question whose turn ended is closed", () => {
  const state = fold([...begun, wants(), ended("stopped")]);

  assert.equal(question(state).state, "closed");
});

test("an answered question stays answered when its turn ends", () => {
  assert.equal(question(fold([...begun, wants(), replied("Bergen"), ended()])).state, "answered");
});

test("a password has no text", () => {
  const state = fold([...begun, wants("q1", { password: true }), replied(undefined)]);

  assert.equal(question(state).isPassword, true);
  assert.equal(question(state).answer.text, null);
});

test("an error that names a question is shown there, and it can be answered again", () => {
  const sending = sendAnswer(fold([...begun, wants()]), "q1", { text: "Bergen" });

  const state = fold([["error", { code: "answer_unusable", message: "Say more.", request_id: "q1" }]], sending);

  assert.deepEqual([question(state).error, question(state).sending], ["Say more.", null]);
  assert.deepEqual(state.errors, []);
});

test("an error that names an unknown question is shown below", () => {
  assert.equal(fold([...begun, ["error", { code: "already_answered", message: "No.", request_id: "q9" }]]).errors.length, 1);
});

test("an answer is pending until its event arrives", () => {
  const sending = sendAnswer(fold([...begun, wants()]), "q1", { text: "Bergen", arguments: undefined });

  assert.deepEqual(unsentAnswers(sending).map((each) => each.sending.text), ["Bergen"]);
  assert.deepEqual(unsentAnswers(fold([replied("Bergen")], sending)), []);
});

test("a pending password is forgotten on a new connection", () => {
  const sending = sendAnswer(fold([...begun, wants("q1", { password: true })]), "q1", { isSecret: true });

  assert.deepEqual(unsentAnswers(sending), []);
  assert.equal(question(fold([confirmed({ last_seq: 3 })], sending)).sending, null);
});

test("an approval directly follows its call, which waits for it", () => {
  const state = fold([...begun, called("c1"), called("c2"), approval("c1")]);

  assert.deepEqual(state.turns[0].items.map((item) => item.callId ?? item.requestId), ["c1", "q1", "c2"]);
  assert.deepEqual(state.turns[0].items.map((item) => item.state), ["waiting", "open", "running"]);
});

test("an approved call runs, with the arguments that were approved", () => {
  const changed = { city: "Bergen" };
  const running = fold([...begun, called(), approval(), replied("edit", { arguments: changed })]);

  assert.equal(call(running).state, "running");
  assert.deepEqual(call(running).arguments, changed);
  assert.equal(call(fold([runs(), ran("12 °C")], running)).state, "ok");
});

test("a denied call stays denied, whatever result the model gets", () => {
  const denied = fold([...begun, called(), approval(), replied("deny, too expensive")]);

  assert.equal(call(denied).state, "denied");
  const told = call(fold([ran("The person said no.", false), responded("The person said no.")], denied));
  assert.deepEqual([told.state, told.result], ["denied", "The person said no."]);
});

test("an approval of code that a tool runs leaves the tool's card alone", () => {
  const code = wants("q1", { tool: { name: "execute_code", arguments: { code: "1" }, call_id: "c1" } });
  const denied = fold([...begun, called("c1"), code, replied("deny")]);

  assert.equal(call(denied).state, "running");
  assert.equal(question(denied).state, "answered");
});

test("an approval of an unknown call is shown as well", () => {
  assert.equal(question(fold([...begun, approval("c9")])).state, "open");
});

test("a call whose turn ends while it waits has failed, or was stopped", () => {
  assert.equal(call(fold([...begun, called(), approval(), ended("failed")])).state, "failed");
  assert.equal(call(fold([...begun, called(), approval(), ended("stopped")])).state, "stopped");
});

test("a question of a rewound turn is gone", () => {
  assert.equal(isWaiting(fold([...begun, wants(), rewound([1]), asked(2, "m2")])), false);
});

test("a verdict has a choice and an optional reason", () => {
  assert.deepEqual(verdict("deny, too expensive"), { choice: "deny", reason: "too expensive" });
  assert.deepEqual(verdict(" Approve "), { choice: "approve", reason: "" });
  assert.deepEqual(verdict("deny: no\nnever"), { choice: "deny", reason: "no\nnever" });
  assert.deepEqual(verdict(null), { choice: "", reason: "" });
});

test("AG2's prompts, as the server words them, are about the agent that waits", () => {
  for (const prompt of [
    "book_clerk wants to use book, look. Let it go on, end here, or write something.",
    "book_clerk waits for you. Let it go on, end here, or write something.",
    "book_clerk has finished. End here, or write something.",
  ]) {
    assert.equal(humanPrompt(prompt), prompt);
    assert.equal(repliesTo(prompt), "Book clerk");
  }
  assert.equal(humanPrompt("Enter the number of the next speaker (enter nothing or `q` to use auto selection): "), "Who speaks next?");
});

test("a question of no agent is asked by the one that the turn belongs to", () => {
  assert.equal(question(fold([...begun, wants("q1", { agent: "" })])).agent, "weather");
});

test("AG2's terminal prompts are reworded for people, all others are unchanged", () => {
  const prompts = [
    "Replying as user. Provide feedback to weather_agent. Press enter to skip and use auto-reply, or type 'exit' to end the conversation: ",
    "Please give feedback to weather_agent. Press enter to skip and use auto-reply, or type 'exit' to stop the conversation: ",
    "Please give feedback to weather_agent. Press enter or type 'exit' to stop the conversation: ",
  ];

  for (const prompt of prompts) {
    assert.match(humanPrompt(prompt), /Weather agent/);
    assert.doesNotMatch(humanPrompt(prompt), /[Pp]ress enter|'exit'/);
    assert.equal(repliesTo(prompt), "Weather agent");
  }
  assert.equal(humanPrompt(" Which city? "), "Which city?");
  assert.equal(repliesTo("Which city?"), null);
});
