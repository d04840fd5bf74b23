/** One conversation on the wire: its requests, messages and resends, and what it never stores. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeSocket, browserStores } from "./browser.mjs";

const stores = browserStores();
globalThis.WebSocket = FakeSocket;
const { Conversation } = await import("../../website_files/static/js/app/conversation.js");

let told; // what the page was told, in order

beforeEach(() => {
  Object.values(stores).forEach((store) => store.clear());
  FakeSocket.all = [];
  told = [];
});

function open(which = {}, name = "") {
  const conversation = new Conversation("ws://server/", { sessionId: null, agent: "weather", role: "member", ...which }, () => name, {
    changed: () => {},
    confirmed: (content) => told.push([content.session_id, FakeSocket.last.sent.length, Object.keys(stores.sessionStorage)]),
    happened: () => {},
    lost: () => {},
  });
  conversation.open();
  return conversation;
}

const confirm = (more = {}) => FakeSocket.last.say("connection_confirmed", { session_id: "s1", agent: "weather", last_seq: 0, ...more });
const ask = (password = false) => {
  FakeSocket.last.say("user_message", { id: "m1", text: "?" }, { seq: 1, turn: 1 });
  FakeSocket.last.say("turn_started", { message_id: "m1" }, { seq: 2, turn: 1 });
  FakeSocket.last.say("input_request", { request_id: "q1", prompt: "?", password }, { seq: 3, turn: 1 });
};
const question = ({ state }) => state.turns[0].items[0];
const everything = () => JSON.stringify(stores);

test("the address names the person and the role", (t) => {
  const conversation = open({ sessionId: "s1", role: "viewer" }, "Ada");
  t.after(() => conversation.close());

  assert.deepEqual(Object.fromEntries(FakeSocket.last.url.searchParams), { session: "s1", agent: "weather", name: "Ada", role: "viewer" });
});

test("whoever was made a viewer asks again for the role that they wanted", (t) => {
  const conversation = open({ sessionId: "s1" });
  t.after(() => conversation.close());
  confirm({ role: "viewer" });
  conversation.open();

  assert.equal(conversation.state.role, "viewer");
  assert.equal(FakeSocket.last.url.searchParams.get("role"), null);
});

test("the page knows the id before the first message is sent, while the message is still stored", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  conversation.send("hello");
  confirm();

  const [[id, sent, kept]] = told;
  assert.deepEqual([id, sent, kept.length], ["s1", 0, 1]);
  assert.deepEqual(FakeSocket.last.commands("message").map((content) => content.text), ["hello"]);
  assert.deepEqual([Object.keys(stores.sessionStorage).length, Object.keys(stores.localStorage).length], [0, 1]);
});

test("a refused message is resent only when the person asks for it", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  conversation.send("hello");
  confirm();
  const [{ id }] = FakeSocket.last.commands("message");
  FakeSocket.last.say("error", { code: "busy", message: "Not now.", id });
  conversation.open();
  confirm();
  assert.equal(FakeSocket.last.commands("message").length, 0);

  conversation.resend();
  assert.deepEqual(FakeSocket.last.commands("message").map((content) => content.id), [id]);
});

test("a viewer sends nothing, even if another tab left unsent messages", (t) => {
  const writer = open({ sessionId: "s1" });
  writer.send("hello");
  const viewer = open({ sessionId: "s1", role: "viewer" });
  t.after(() => [writer, viewer].forEach((each) => each.close()));
  confirm({ role: "viewer" });

  assert.deepEqual(FakeSocket.last.sent, []);
});

test("a refused message can be taken to another conversation", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  conversation.send("one");
  confirm();
  conversation.send("two");

  assert.equal(conversation.takeBack(), "one\n\ntwo");
  assert.doesNotMatch(everything(), /one|two/);
});

test("a reconnect names the epoch of what was seen", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm({ epoch: "e1" });
  conversation.open();
  assert.doesNotMatch(FakeSocket.last.url.search, /epoch|after/); // nothing was seen
  confirm({ epoch: "e2" });
  ask();
  conversation.open();
  assert.match(FakeSocket.last.url.search, /after=\d+&epoch=e2/);
});

test("an answer is resent after reconnecting until its event arrives", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm();
  ask();
  conversation.answer("q1", { text: "Bergen" });
  conversation.open();
  assert.equal(conversation.answer("q1", { text: "Bergen" }), false);
  confirm({ last_seq: 3 });
  const [{ id, ...answer }] = FakeSocket.last.commands("input_response");
  assert.deepEqual([answer, Boolean(id)], [{ request_id: "q1", text: "Bergen" }, true]);

  FakeSocket.last.say("input_response", { request_id: "q1", text: "Bergen", name: "user" }, { seq: 4, turn: 1 });
  conversation.open();
  confirm({ last_seq: 4 });
  assert.deepEqual(FakeSocket.last.commands("input_response"), []);
});

test("a password is sent once and stored nowhere", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm();
  ask(true);
  assert.equal(conversation.answer("q1", { text: "hunter2", isSecret: true }), true);
  assert.equal(FakeSocket.last.commands("input_response")[0].text, "hunter2");
  assert.doesNotMatch(JSON.stringify(conversation.state) + everything(), /hunter2/);

  conversation.open();
  assert.equal(conversation.answer("q1", { text: "hunter2", isSecret: true }), false);
  assert.doesNotMatch(JSON.stringify(conversation.state) + everything(), /hunter2/);
  confirm({ last_seq: 3 });
  assert.deepEqual(FakeSocket.last.commands("input_response"), []);
  assert.equal(question(conversation).sending, null);
});

test("typing is not announced while nobody else is present", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm({ participants: [{ name: "user", role: "member", connections: 1 }] });
  conversation.wrote(true);
  assert.deepEqual(FakeSocket.last.commands("typing"), []);

  FakeSocket.last.say("presence", { participants: [{ name: "user", connections: 1 }, { name: "Ada", connections: 1 }] });
  conversation.wrote(true);
  conversation.wrote(false);
  assert.deepEqual(FakeSocket.last.commands("typing"), [{ is_typing: true }, { is_typing: false }]);
});

test("a command that nothing was heard of is sent again with its id", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm();
  conversation.retry();
  conversation.tick(1, "done");
  const [[retry], [task]] = ["retry", "task"].map((type) => FakeSocket.last.commands(type));
  assert.ok(retry.id && task.command_id);
  conversation.open();
  confirm();
  assert.deepEqual(["retry", "task"].map((type) => FakeSocket.last.commands(type)), [[retry], [task]]);

  FakeSocket.last.say("presence", { participants: [] });
  conversation.open();
  confirm();
  assert.deepEqual(FakeSocket.last.commands("retry"), []);
});

/** A conversation with one message that was answered. */
function answered(t) {
  const conversation = open();
  t.after(() => conversation.close());
  confirm();
  FakeSocket.last.say("user_message", { id: "m1", text: "Oslo?" }, { seq: 1, turn: 1 });
  FakeSocket.last.say("turn_started", { message_id: "m1" }, { seq: 2, turn: 1 });
  FakeSocket.last.say("turn_completed", { status: "completed" }, { seq: 3, turn: 1 });
  return conversation;
}

test("an edit that is refused keeps its words, beside the message", (t) => {
  const conversation = answered(t);
  conversation.edit(1, "Bergen?");
  const [{ id }] = FakeSocket.last.commands("edit");
  assert.deepEqual(conversation.state.turns[0].edit, { id, text: "Bergen?", error: null });
  FakeSocket.last.say("error", { code: "too_fast", message: "Wait 3 seconds.", id });
  assert.equal(conversation.state.turns[0].edit.error, "Wait 3 seconds.");
  assert.deepEqual(conversation.state.errors, []);

  conversation.edit(1, "Bergen?");
  FakeSocket.last.say("rewind", { turns: [1], reason: "edit" }, { seq: 4, turn: 1 });
  FakeSocket.last.say("user_message", { id: "m2", text: "Bergen?" }, { seq: 5, turn: 2 });
  assert.deepEqual(conversation.state.turns.map(({ number, edit }) => [number, edit ?? null]), [[2, null]]);
});

test("an edit that was not confirmed is sent again with its id, whatever else was heard", (t) => {
  const conversation = answered(t);
  conversation.edit(1, "Bergen?");
  const [edit] = FakeSocket.last.commands("edit");
  FakeSocket.last.say("presence", { participants: [] });
  conversation.open();
  confirm();
  assert.deepEqual(FakeSocket.last.commands("edit"), [edit]);
});

test("a waiting message that was edited is no longer being edited", (t) => {
  const conversation = answered(t);
  FakeSocket.last.say("user_message", { id: "m2", text: "Rome?" }, { seq: 4, turn: 2 });
  conversation.edit(4, "Paris?");
  FakeSocket.last.say("user_message", { id: "m2", text: "Paris?" }, { seq: 5, turn: 2 });
  assert.deepEqual([conversation.state.turns[1].message.text, conversation.state.turns[1].edit], ["Paris?", null]);
});

test("words that were refused stand in the error", (t) => {
  const conversation = answered(t);
  conversation.rate(3, -1, "Too short");
  FakeSocket.last.say("stream", {});
  FakeSocket.last.say("error", { code: "store_locked", message: "Locked.", id: FakeSocket.last.commands("feedback")[0].id });
  conversation.handBack("They want a refund");
  FakeSocket.last.say("error", { code: "store_locked", message: "Locked.", id: FakeSocket.last.commands("hand_back")[0].id });
  assert.deepEqual(conversation.state.errors.map(({ words }) => words), ["Too short", "They want a refund"]);
});

test("a message whose id is in use gets another one before it is sent again", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm();
  conversation.send("hello");
  const [{ id }] = FakeSocket.last.commands("message");
  FakeSocket.last.say("error", { code: "id_reused", message: "This id was used before.", id });
  conversation.resend();
  const [, again] = FakeSocket.last.commands("message");
  assert.equal(again.text, "hello");
  assert.notEqual(again.id, id);
  FakeSocket.last.say("user_message", { id: again.id, text: "hello" }, { seq: 1, turn: 1 });
  assert.equal(Object.keys(stores.localStorage).length, 0);
});

test("an answer that came too late is not lost", (t) => {
  const conversation = open();
  t.after(() => conversation.close());
  confirm();
  ask();
  conversation.answer("q1", { text: "Tuesday, please" });
  FakeSocket.last.say("input_response", { request_id: "q1", text: "Monday", name: "Ann" }, { seq: 4, turn: 1 });
  FakeSocket.last.say("error", { code: "already_answered", message: "Ann has answered.", request_id: "q1" });
  assert.equal(question(conversation).unused, "Tuesday, please");
  assert.equal(question(conversation).error, "Ann has answered.");
});
