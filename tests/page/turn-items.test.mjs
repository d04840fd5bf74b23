/** The steps between a question and its answer: thoughts, nested chats, hand-offs, files, progress, AG2's events. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { visibleItems } from "../../website_files/static/js/core/session/turn-presentation.js";
import { turnActions } from "../../website_files/static/js/core/session/turn-presentation.js";
import { asked, called, confirmed, ended, fold, ran, responded, runs, said, started, stream } from "./frames.mjs";

const PICTURE = "data:image/png;base64,iVBORw0KGgo=";
const begun = [confirmed(), asked(), started()];
const items = (state, turn = 0) => state.turns[turn].items;
const kinds = (state, turn = 0) => items(state, turn).map((item) => item.kind);
const shown = (state, level, turn = 0) => visibleItems(state.turns[turn], level).map((item) => item.kind);

const thinks = (offset, content) => {
  return ["stream", { message_id: "r1", sender: "forecaster", offset, content, kind: "reasoning" }];
};
const thought = (content, message_id = "r1") => ["reasoning", { message_id, sender: "forecaster", content }, 1];
const inner = ([type, content, turn]) => [type, { ...content, within: "writer" }, turn];
const says = (sender, content, message_id) => said(content, 1, { sender, message_id });
const handoff = (kind, from, to, reason = "", turn = 1) => ["handoff", { kind, from, to, reason }, turn];
const file = (path, kind, turn = 1, by = "coder") => ["file_changed", { path, kind, size: 3, by }, turn];
const bar = (done, more = {}) => ["progress", { turn: 1, id: "c1", tool: "forecast", done, total: 10, text: "Reading", ...more }];
const operator = (text, turn) => [
  "text", { content: text, sender: "Ann", recipient: "user", message_id: `o${turn}`, operator: true }, turn,
];

test("thoughts stream apart from the answer, and end when it begins", () => {
  const thinking = fold([...begun, thinks(0, "Hm"), thinks(2, "m.")]);
  const speaking = fold([stream(0, "Sunny")], thinking);

  assert.deepEqual(items(thinking).map(({ kind, text, state }) => [kind, text, state]), [["reasoning", "Hmm.", "streaming"]]);
  assert.deepEqual(items(speaking).map((item) => item.state), ["done", "streaming"]);
});

test("the complete thoughts replace the streamed ones, before the answer", () => {
  const state = fold([...begun, thinks(0, "Hm"), stream(0, "Sun"), thought("Hmm, yes."), said("Sunny.")]);

  assert.deepEqual(items(state).map(({ kind, text }) => [kind, text]), [["reasoning", "Hmm, yes."], ["message", "Sunny."]]);
});

test("unstreamed thoughts come before a streamed answer", () => {
  assert.deepEqual(kinds(fold([...begun, stream(0, "Sun"), thought("Hm."), said("Sunny.")])), ["reasoning", "message"]);
});

test("empty thoughts are not shown", () => {
  assert.deepEqual(kinds(fold([...begun, thought(" ")])), []);
});

test("a turn that ends ends its thoughts", () => {
  assert.equal(items(fold([...begun, thinks(0, "Hm"), ended("stopped")]))[0].state, "partial");
});

test("a nested chat is one block with all its parts, and the answer is outside", () => {
  const state = fold([
    ...begun,
    inner(["post_carryover_processing", { chat_info: { sender: "writer", recipient: "critic" } }, 1]),
    inner(says("writer", "Review this.", "w1")), inner(called()), inner(runs()), inner(ran("3")),
    inner(["stream", { message_id: "k1", sender: "critic", offset: 0, content: "Too" }]),
    inner(says("critic", "Too short.", "k1")), says("writer", "Roses.", "w2"), ended(),
  ]);

  const blocks = visibleItems(state.turns[0], "tools");
  assert.deepEqual(blocks.map((block) => block.kind), ["speaker", "nested-chat", "message"]);
  assert.deepEqual(blocks[1].items.map((item) => item.kind), ["chat-start", "message", "tool", "message"]);
  assert.deepEqual([blocks[0].sender, blocks[1].of, Boolean(blocks[1].isLive)], ["writer", "writer", false]);
  assert.deepEqual(shown(state, "final"), ["speaker", "message"]);
});

test("a nested chat is open while it is the newest item", () => {
  const live = fold([...begun, inner(says("writer", "Review this.", "w1"))]);
  const over = fold([says("writer", "Roses.", "w2")], live);

  assert.equal(visibleItems(live.turns[0], "tools")[1].isLive, true);
  assert.equal(Boolean(visibleItems(over.turns[0], "tools")[1].isLive), false);
});

test("a hand-off is shown in its turn, or between turns if it has none", () => {
  const state = fold([
    ...begun, handoff("agents", "concierge", "weather", "It is about rain."), said("Sunny."), ended(),
    handoff("taken", "human", "Ann", "", 0), operator("Hello!", 2), handoff("returned", "Ann", "weather", "Done.", 3),
  ]);

  assert.deepEqual(state.turns.map((turn) => [turn.number, turn.status]), [
    [1, "completed"], [0, "completed"], [2, "completed"], [3, "completed"],
  ]);
  assert.deepEqual(state.turns.map((turn) => turn.items[0].how ?? turn.items[0].isOperator), ["agents", "taken", true, "returned"]);
});

test("items between turns do not prevent a retry of the last answer, and cannot be retried", () => {
  const retried = (frames) => {
    const state = fold(frames);
    const actions = turnActions(state, true);
    return state.turns.filter((turn) => actions(turn).includes("retry")).map((turn) => turn.number);
  };
  const answered = [...begun, said("Sunny."), ended()];

  assert.deepEqual(retried([...answered, file("a.txt", "created", 0, "Ada")]), [1]);
  assert.deepEqual(retried([...answered, handoff("taken", "human", "Ann", "", 0)]), []);
  assert.deepEqual(retried([...answered, operator("Hello!", 2)]), []);
});

test("the newest answer can be continued if it was cut off, unless somebody writes or reads along", () => {
  const continued = (frames, { isOnline = true, ...more } = {}) => {
    const state = { ...fold(frames), ...more };
    const actions = turnActions(state, isOnline);
    return state.turns.filter((turn) => actions(turn).includes("continue")).map((turn) => turn.number);
  };
  const cut = (turn = 1, text = "It is") => said(text, turn, { message_id: `a${turn}`, notice: "Cut off.", cut_off: true });
  const first = [...begun, cut(), ended()];
  const second = [...first, asked(2, "m2"), started(2, "m2")];

  assert.deepEqual(continued(first), [1]);
  assert.deepEqual(continued(second), []);
  assert.deepEqual(continued([...second, cut(2), ended("completed", 2)]), [2]);
  assert.deepEqual(continued([...second, said("Sunny.", 2, { message_id: "a2" }), ended("completed", 2)]), []);
  assert.deepEqual(continued([...begun, cut(1, ""), ended()]), []);
  assert.deepEqual(continued([...begun, said("It is", 1, { notice: "Filtered." }), ended()]), []);
  assert.deepEqual(continued(first, { role: "viewer" }), []);
  assert.deepEqual(continued(first, { held: { state: "taken" } }), []);
  assert.deepEqual(continued(first, { pending: [{ id: "m2", text: "Continue." }] }), []);
});

test("an empty answer with a notice is shown, not the general sentence", () => {
  const state = fold([...begun, said("", 1, { notice: "The model gave an empty answer." }), ended()]);

  for (const level of ["final", "all"]) assert.deepEqual(shown(state, level), ["speaker", "message"]);
});

test("a message passed on to a human is not a missing answer", () => {
  const toHuman = [asked(), ["turn_started", { message_id: "m1", agent: "human" }, 1], ended()];

  assert.deepEqual(shown(fold([confirmed(), ...toHuman]), "tools"), []);
  assert.deepEqual(shown(fold([...begun, ended()]), "tools"), ["notice"]);
});

test("the notice of a turn is shown at its end, at every level", () => {
  const [type, content, number] = ended();
  const notice = "The agents ended this turn without an answer.";
  const state = fold([...begun, called(), runs(), ran("3"), [type, { ...content, notice }, number]]);

  assert.deepEqual(shown(state, "final"), ["notice"]);
  assert.equal(visibleItems(state.turns[0], "all").at(-1).notice, notice);
});

test("each file is listed once; a new one stays new", () => {
  const state = fold([...begun, file("a.md", "created"), file("a.md", "modified"), file("b.md", "modified"), file("c.md", "deleted")]);

  assert.deepEqual(items(state).map(({ path, how }) => [path, how]), [["a.md", "created"], ["b.md", "modified"], ["c.md", "deleted"]]);
  const [wrote, deleted] = visibleItems(state.turns[0], "final");
  assert.deepEqual([wrote.by, wrote.verb, wrote.items.length], ["coder", "wrote", 2]);
  assert.deepEqual([deleted.by, deleted.verb, deleted.items.length], ["coder", "deleted", 1]);
});

test("files whose changes are shown line by line are not listed again", () => {
  const done = ended();
  done[1] = { ...done[1], code_changes: [{ path: "a.md", kind: "created", diff: "" }] };

  assert.deepEqual(shown(fold([...begun, file("a.md", "created"), said("Done."), done]), "final"), ["speaker", "message", "changes"]);
});

test("progress belongs to the running call, and ends with it", () => {
  const running = fold([...begun, called(), runs(), bar(3)]);

  assert.deepEqual(items(running)[0].progress, { done: 3, total: 10, text: "Reading" });
  assert.equal(items(fold([ran("ok")], running))[0].progress, null);
  assert.equal(items(fold([ended("stopped")], running))[0].progress, null);
});

test("progress without a call id is matched by the tool's name, and its total may be unknown", () => {
  const state = fold([...begun, called(""), bar(3, { id: "", total: null })]);

  assert.deepEqual(items(state)[0].progress, { done: 3, total: null, text: "Reading" });
});

test("progress that arrives before the replay waits for its call", () => {
  const state = fold([confirmed({ progress: [bar(4)[1]], last_seq: 4 }), asked(), started(), called(), runs()]);

  assert.equal(items(state)[0].progress.done, 4);
  assert.deepEqual(state.progress, []);
});

test("progress after a reconnect finds the existing call", () => {
  const before = fold([...begun, called(), runs(), bar(3)]);

  assert.equal(items(fold([confirmed({ progress: [bar(7)[1]] })], before))[0].progress.done, 7);
});

test("a message's text and embedded images are shown; other parts are only named", () => {
  const parts = [
    { type: "text", text: "Look:" },
    { type: "image_url", image_url: { url: PICTURE } },
    { type: "image_url", image_url: { url: "https://example.org/a.png" } },
    { type: "image_url", image_url: { url: "data:text/html;base64,PGI+" } },
  ];

  const [message] = items(fold([...begun, said(parts)]));
  assert.deepEqual(message.parts.map((part) => part.kind), ["text", "image", "remote", "text"]);
  assert.equal(message.parts[1].url, PICTURE);
  assert.match(message.text, /^Look:/);
});

test("a list of text parts is a text, an empty list is not a message", () => {
  const [message] = items(fold([...begun, said([{ type: "text", text: "One" }, { type: "text", text: "Two" }])]));

  assert.deepEqual([message.text, message.parts], ["One\n\nTwo", null]);
  assert.deepEqual(items(fold([...begun, said([])])), []);
});

for (const [name, result] of [
  ["a list", [{ type: "text", text: "A chart" }, { type: "image_url", image_url: { url: PICTURE } }]],
  ["a list as JSON", JSON.stringify([{ type: "text", text: "A chart" }, { type: "image_url", image_url: { url: PICTURE } }])],
  ["MCP's parts", [{ type: "text", text: "A chart" }, { type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" }]],
]) {
  test(`images in a tool's result: ${name}`, () => {
    const [card] = items(fold([...begun, called(), runs(), ran(result)]));

    assert.deepEqual([card.result, card.parts.map((part) => part.kind), card.state], ["A chart", ["text", "image"], "ok"]);
  });
}

test("results that are not text are shown as JSON, including other lists", () => {
  const result = (value) => items(fold([...begun, called(), runs(), ran(value)]))[0].result;

  assert.equal(result({ a: 1 }), '{"a":1}');
  assert.equal(result("[1, 2]"), "[1, 2]");
  assert.equal(result([1, 2]), "[1,2]");
  assert.equal(result(null), "");
});

test("a call of an unknown tool fails, whatever happens to the others", () => {
  const state = fold([...begun, called("c1"), called("c2"), runs("c1"), ran("12 °C", true, "c1"), responded("Error: Function forecast not found.", "c2")]);

  assert.deepEqual(items(state).map((item) => item.state), ["ok", "failed"]);
});

test("each level shows what the previous one shows, and more", () => {
  const state = fold([
    ...begun, thought("Hm."), says("planner", "First I look.", "p1"), called(), runs(), ran("12 °C"),
    handoff("agents", "planner", "forecaster"), ["termination", { termination_reason: "done" }, 1], said("Sunny."), ended(),
  ]);
  const without = (level) => shown(state, level).filter((kind) => kind !== "speaker");

  assert.deepEqual(without("final"), ["handoff", "message"]);
  assert.deepEqual(without("agents"), ["reasoning", "message", "handoff", "message"]);
  assert.deepEqual(without("tools"), ["reasoning", "message", "tool", "handoff", "message"]);
  assert.deepEqual(without("all"), ["reasoning", "message", "tool", "handoff", "event", "message"]);
});

test("the level of final answers shows nothing that may not be the last", () => {
  const running = fold([...begun, says("planner", "First I look.", "p1"), stream(0, "Sun")]);

  assert.deepEqual(shown(running, "final"), []);
});

test("results of code are what they are, and not an answer", () => {
  const result = (content) => says("user_proxy", content, "u1");
  const state = fold([
    ...begun, says("coder", "Run this.", "a1"), result("exitcode: 0 (execution succeeded)\nCode output: 42\n"), ended(),
  ]);
  const failed = fold([...begun, result("exitcode: 1 (execution failed)\nCode output: \nTraceback\n  exitcode: 2")]);

  assert.deepEqual(shown(state, "agents"), ["speaker", "message", "speaker", "code-result"]);
  assert.deepEqual(shown(state, "final"), ["speaker", "message"]);
  assert.deepEqual([items(state)[1].sender, items(state)[1].exitCode, items(state)[1].text], ["user_proxy", 0, "42"]);
  assert.deepEqual([items(failed)[0].exitCode, items(failed)[0].text], [1, "Traceback\n  exitcode: 2"]);
  assert.deepEqual(kinds(fold([...begun, result("The exitcode: 0 (fine)\nCode output: 1")])), ["message"]);
});

test("an answer that a tool gave follows its call once", () => {
  const state = fold([...begun, called(), runs(), ran("12 °C"), responded("12 °C"), says("forecaster", "12 °C", "a1"), ended()]);

  assert.deepEqual(shown(state, "tools"), ["speaker", "tool", "message"]);
  assert.deepEqual(shown(state, "final"), ["speaker", "message"]);
});

test("uploads that go with a message are shown with it alone", () => {
  const attachments = [{ path: "a.png", sha256: "0", size: 3, media_type: "image/png" }];
  const message = ["user_message", { id: "m1", text: "Look", name: "Ada", attachments }, 1];
  assert.deepEqual(fold([file("a.png", "created", 0, "Ada"), message]).turns.map(({ number }) => number), [1]);
  const both = fold([file("a.png", "created", 0, "Ada"), file("b.txt", "created", 0, "Ada"), message]);
  assert.deepEqual(both.turns.map(({ items }) => items.map(({ path }) => path)), [["b.txt"], []]);
});
