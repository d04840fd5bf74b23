/** Inner chats: under the agent or the tool call that holds them, nested, several at once, and how long they are live. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { visibleItems } from "../../website_files/static/js/core/session/turn-presentation.js";
import { asked, confirmed, ended, fold, started } from "./frames.mjs";

const begun = [confirmed(), asked(), started()];
let count = 0;

const about = (holder) => (holder ? { within: holder } : {});
const says = (sender, content, holder, more = {}) => [
  "text", { content, sender, message_id: `t${(count += 1)}`, ...about(holder), ...more }, 1,
];
const streams = (sender, message_id, offset, content, holder, more = {}) => [
  "stream", { message_id, sender, offset, content, ...about(holder), ...more },
];
const calls = (sender, name, holder, id = "c1") => [
  "tool_call",
  { sender, message_id: `t${(count += 1)}`, tool_calls: [{ id, function: { name, arguments: "{}" } }], ...about(holder) },
  1,
];
const begins = (name, holder, call_id = "c1") => ["execute_function", { func_name: name, call_id, arguments: {}, ...about(holder) }, 1];
const ends = (name, content, holder, call_id = "c1") => [
  "executed_function", { func_name: name, call_id, content, is_exec_success: true, ...about(holder) }, 1,
];
const opens = (from, to, holder) => [
  "post_carryover_processing", { chat_info: { sender: from, recipient: to }, ...about(holder) }, 1,
];

/** The visible blocks as text: `holder[…]` for an inner chat, `name{…}` for a tool call, `*` behind what is live. */
function outline(state, level = "tools") {
  const words = (block) => {
    if (block.kind === "nested-chat") return `${block.of}[${list(block.items)}]${block.isLive ? "*" : ""}`;
    if (block.kind === "tool") return block.inner ? `${block.name}{${list(block.inner.items)}}${block.inner.isLive ? "*" : ""}` : block.name;
    if (block.kind === "chat-start") return `${block.from}→${block.to}`;
    return block.text ?? block.kind;
  };
  const list = (blocks) => blocks.filter((block) => block.kind !== "speaker").map(words).join(" ");
  return list(visibleItems(state.turns[0], level));
}

test("agents in a tool are in its card while it runs, and go on in the card as tools of their own", () => {
  const running = fold([
    ...begun, calls("boss", "research"), begins("research"),
    says("asker", "Moss?", "boss", { recipient: "lead" }),
    calls("lead", "look", "boss"), begins("look", "boss"),
    says("deepest", "Green.", "lead"),
  ]);
  const done = fold([
    ends("look", "Green.", "boss"), says("lead", "It is green.", "boss"), ends("research", "It is green."),
    says("boss", "Moss is green."),
  ], running);

  assert.equal(outline(running), "research{Moss? look{Green.}*}*");
  assert.equal(outline(done), "research{Moss? look{Green.} It is green.} Moss is green.");
  assert.equal(outline(done, "agents"), "boss[Moss? lead[Green.] It is green.] Moss is green.");
  assert.equal(outline(fold([ended()], done), "final"), "Moss is green.");
});

test("inner and outer calls with the same id are told apart", () => {
  const state = fold([
    ...begun, calls("boss", "research"), begins("research"), calls("lead", "research", "boss"), begins("research", "boss"),
    ends("research", "inner", "boss"),
  ]);

  assert.deepEqual(state.turns[0].items.map((item) => [item.sender, item.state]), [["boss", "running"], ["lead", "ok"]]);
});

test("with several calls at once, inner chats stand under the agent", () => {
  const state = fold([
    ...begun, calls("boss", "one", null, "c1"), calls("boss", "two", null, "c2"), begins("one", null, "c1"), begins("two", null, "c2"),
    says("expert", "Hm.", "boss"),
  ]);

  assert.equal(outline(state), "one two boss[Hm.]*");
});

test("a call that has not begun holds nothing", () => {
  const state = fold([...begun, calls("boss", "one", null, "c1"), calls("boss", "two", null, "c2"), begins("one", null, "c1"), says("expert", "Hm.", "boss")]);

  assert.equal(outline(state), "one{Hm.}* two");
});

test("chats in chats in chats are nested", () => {
  const state = fold([
    ...begun, opens("a", "b", "a"), says("a", "To b.", "a"), opens("b", "c", "b"), says("b", "To c.", "b"),
    opens("c", "d", "c"), says("c", "To d.", "c"), says("d", "D.", "c"), says("c", "C.", "b"), says("b", "B.", "a"), says("a", "A."),
  ]);

  assert.equal(outline(state), "a[a→b To b. b[b→c To c. c[c→d To d. D.] C.] B.] A.");
  assert.equal(visibleItems(state.turns[0], "tools")[1].steps, 6);
});

test("several agents that hold chats at the same time have one block each, and their streams find their ends", () => {
  const streaming = fold([
    ...begun, streams("expert", "m1", 0, "One ", "left"), streams("expert", "m2", 0, "Two ", "right"),
    streams("expert", "r1", 0, "Hm", "right", { kind: "reasoning" }), streams("expert", "m1", 4, "more", "left"),
    streams("expert", "m2", 4, "more", "right"),
  ]);
  const done = fold([
    says("expert", "Two more.", "right", { message_id: "m2" }), says("expert", "One more.", "left", { message_id: "m1" }),
    says("left", "L."), says("right", "R."),
  ], streaming);

  assert.equal(outline(streaming), "left[One more]* right[Two more Hm]*");
  assert.equal(outline(done), "left[One more.] right[Two more. Hm] L. R.");
});

test("an agent's answer does not end another agent's thoughts", () => {
  const thinking = { kind: "reasoning" };
  const state = fold([...begun, streams("one", "r1", 0, "Hm", "left", thinking), streams("two", "m2", 0, "Yes", "right")]);

  assert.deepEqual(state.turns[0].items.map((item) => [item.within, item.state]), [["left", "streaming"], ["right", "streaming"]]);
});

test("a chat is live until its agent speaks; the next one is another, and all end with the turn", () => {
  const first = fold([...begun, says("critic", "Short.", "writer")]);
  const spoken = fold([says("writer", "Roses.")], first);
  const second = fold([says("critic", "Better.", "writer")], spoken);

  assert.equal(outline(first), "writer[Short.]*");
  assert.equal(outline(second), "writer[Short.] Roses. writer[Better.]*");
  assert.equal(outline(fold([ended("stopped")], second)), "writer[Short.] Roses. writer[Better.]");
});

test("questions and files do not divide a chat, and stand outside", () => {
  const state = fold([
    ...begun, says("critic", "May I?", "writer"),
    ["input_request", { request_id: "q1", agent: "critic", prompt: "May I?" }, 1],
    ["file_changed", { path: "a.md", kind: "created", size: 3, by: "critic" }, 1],
    says("critic", "Thanks.", "writer"),
  ]);

  assert.equal(outline(state), "writer[May I? Thanks.]* question files");
});

test("hand-offs of an inner team are inside", () => {
  const state = fold([...begun, says("one", "A.", "host"), ["handoff", { from: "one", to: "two", kind: "agents", within: "host" }, 1], says("two", "B.", "host"), ended()]);

  assert.equal(outline(state), "host[A. handoff B.]");
  assert.equal(outline(state, "final"), "");
});

test("an answer that turns out to be an inner step moves inside", () => {
  const state = fold([...begun, streams("solver", "m1", 0, "Point: 9"), says("solver", "Point: 9", "solver", { message_id: "m1" }), says("solver", "42.")]);

  assert.equal(outline(state), "solver[Point: 9] 42.");
});

test("a hundred agents, each in the chat of the one before", () => {
  const deep = Array.from({ length: 100 }, (_, place) => says(`a${place + 1}`, String(place), `a${place}`));
  const state = fold([...begun, ...deep]);

  assert.equal(visibleItems(state.turns[0], "tools")[1].steps, 100);
});
