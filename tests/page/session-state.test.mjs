/** The reducer: frames in, what is shown out. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, dismiss, firstText, isLive, reduce, runningTurn, write } from "../../website_files/static/js/core/session/session-state.js";
import {
  STAMP, asked, called, confirmed, ended, fold, ran, responded, rewound, runs, said, started, stream,
} from "./frames.mjs";

const items = (state, turn = 0) => state.turns[turn].items;

test("a streamed answer and its final text are one message", () => {
  const state = fold([confirmed(), asked(), started(), stream(0, "Sun"), stream(3, "ny"), said("Sunny."), ended()]);

  assert.deepEqual(items(state).map(({ key, text, state: how }) => [key, text, how]), [["a1", "Sunny.", "done"]]);
});

test("text that is still being streamed is shown as it grows", () => {
  const state = fold([confirmed(), asked(), started(), stream(0, "Sun"), stream(3, "ny")]);

  assert.equal(items(state)[0].text, "Sunny");
  assert.equal(items(state)[0].state, "streaming");
});

test("offsets count characters, not JavaScript's code units", () => {
  const state = fold([confirmed(), asked(), started(), stream(0, "🌦️🌦️"), stream(4, "!"), stream(2, "?")]);

  assert.equal(items(state)[0].text, "🌦️?");
});

test("a message in progress starts again at offset 0 after a reconnect", () => {
  const before = fold([confirmed(), asked(), started(), stream(0, "Sunny and")]);

  const state = fold([confirmed({ last_seq: 2 }), stream(0, "Sunny and warm")], before);

  assert.deepEqual(items(state).map((item) => item.text), ["Sunny and warm"]);
});

test("a late stream frame does not change a finished message", () => {
  const before = fold([confirmed(), asked(), started(), said("Sunny.")]);

  assert.deepEqual(items(fold([stream(0, "Sun")], before)), items(before));
});

test("the person's message is not shown again when passed to the agent", () => {
  const state = fold([confirmed(), asked(), started(), ["text", { content: "Oslo?", sender: "user" }, 1]]);

  assert.deepEqual(items(state), []);
});

test("an empty final text removes its message", () => {
  const state = fold([confirmed(), asked(), started(), stream(0, " "), said("")]);

  assert.deepEqual(items(state), []);
});

test("a notice stays with its message, even if that is empty", () => {
  const notice = "The model gave an empty answer.";
  const empty = fold([confirmed(), asked(), started(), stream(0, " "), said("", 1, { notice })]);
  const tool = fold([confirmed(), asked(), started(), ["tool_call", { ...called()[1], notice }, 1]]);
  const plain = fold([confirmed(), asked(), started(), said("Sunny.")]);

  assert.deepEqual(items(empty).map(({ kind, text, state, notice }) => [kind, text, state, notice]), [
    ["message", "", "done", notice],
  ]);
  assert.deepEqual(items(tool).map((item) => [item.kind, item.notice]), [["message", notice], ["tool", undefined]]);
  assert.equal(items(plain)[0].notice, "");
});

test("unknown types are kept for the highest level of detail", () => {
  const before = fold([confirmed(), asked(), started()]);

  const state = fold([["termination", {}, 1], ["constructor", {}, 1], ["using_auto_reply", null, 1]], before);

  assert.deepEqual(items(state).map(({ kind, type }) => [kind, type]), [
    ["event", "termination"], ["event", "constructor"], ["event", "using_auto_reply"],
  ]);
  assert.equal(state.lastSeq, before.lastSeq + 3);
});

test("unknown types outside a turn only advance the position in the log", () => {
  const before = fold([confirmed(), asked(), started()]);

  const state = fold([["budget", {}, 0], ["termination", {}, 7], ["weather_report", {}]], before);

  assert.equal(state.turns, before.turns);
  assert.equal(state.lastSeq, before.lastSeq + 2);
});

test("an event seen before is not applied twice", () => {
  const before = fold([confirmed(), asked(), started(), called()]);

  assert.equal(reduce(before, { seq: 3, ts: STAMP, turn: 1, type: "tool_call", content: called()[1] }), before);
});

test("the three events of a tool call are one card", () => {
  const state = fold([confirmed(), asked(), started(), called(), runs(), ran("12 °C"), responded("12 °C")]);

  const [card, ...others] = items(state);
  assert.deepEqual(others, []);
  assert.deepEqual([card.name, card.sender, card.result, card.state], ["forecast", "forecaster", "12 °C", "ok"]);
});

test("a tool is running until it is done, and failed when it says so", () => {
  const running = fold([confirmed(), asked(), started(), called(), runs()]);
  const failed = fold([ran("Error: no such city", false)], running);

  assert.equal(items(running)[0].state, "running");
  assert.equal(items(failed)[0].state, "failed");
});

test("a model that gives all calls the same id gets a card for each", () => {
  const state = fold([confirmed(), asked(), started(), called(), runs(), ran("one"), called(), runs(), ran("two")]);

  assert.deepEqual(items(state).map((item) => item.result), ["one", "two"]);
});

test("the same call id in another turn is another call", () => {
  const state = fold([
    confirmed(), asked(), started(), called(), ran("one"), ended(),
    asked(2, "m2"), started(2, "m2"), called("c1", 2), ran("two", true, "c1", 2),
  ]);

  assert.equal(items(state, 0)[0].result, "one");
  assert.equal(items(state, 1)[0].result, "two");
});

test("two calls at once keep their own results", () => {
  const state = fold([confirmed(), asked(), started(), called("c1"), called("c2"), ran("second", true, "c2"), ran("first", true, "c1")]);

  assert.deepEqual(items(state).map((item) => item.result), ["first", "second"]);
});

test("a call for which no function ran ends with the result the model gets", () => {
  const state = fold([confirmed(), asked(), started(), called(), responded("Error: Function forecast not found.")]);

  assert.equal(items(state)[0].state, "failed");
});

test("text that comes with a tool call stays, and replaces what was streamed", () => {
  const call = called();
  call[1] = { ...call[1], message_id: "a1", content: "Let me look." };

  const state = fold([confirmed(), asked(), started(), stream(0, "Let me"), call]);

  assert.deepEqual(items(state).map((item) => [item.kind, item.text]), [["message", "Let me look."], ["tool", undefined]]);
});

for (const status of ["stopped", "failed", "interrupted"]) {
  test(`a turn that was ${status} keeps its contents, and nothing in it stays active`, () => {
    const state = fold([confirmed(), asked(), started(), called(), stream(0, "Half an ans"), ended(status)]);

    assert.equal(state.turns[0].status, status);
    assert.deepEqual(items(state).map((item) => item.state), [status === "stopped" ? "stopped" : "failed", "partial"]);
    assert.equal(runningTurn(state), null);
  });
}

test("the partial text of a stopped turn is marked", () => {
  const state = fold([confirmed(), asked(), started(), stream(0, "Half"), said("Half", 1, { partial: true }), ended("stopped")]);

  assert.equal(items(state)[0].state, "partial");
});

test("a turn's error is shown in the turn, a connection's error outside", () => {
  const error = { code: "model_unreachable", message: "The server cannot be reached." };

  const state = fold([confirmed(), asked(), started(), ["error", error, 1], ["error", { code: "bad_frame", message: "No." }]]);

  assert.deepEqual(items(state).map((item) => item.code), ["model_unreachable"]);
  assert.deepEqual(state.errors.map((item) => item.code), ["bad_frame"]);
  assert.deepEqual(dismiss(state, state.errors[0].key).errors, []);
});

test("repeated connection errors are shown once", () => {
  const error = ["error", { code: "agent_unknown", message: "There is no agent 'x'." }];

  assert.equal(fold([error, error]).errors.length, 1);
});

test("a message is pending until the server has it, then queued until its turn", () => {
  const written = write(fold([confirmed(), asked(), started()]), { id: "m2", text: "And Rome?" });
  const queued = fold([asked(2, "m2", "And Rome?")], written);
  const running = fold([ended(), started(2, "m2")], queued);

  assert.deepEqual(written.pending.map((message) => message.id), ["m2"]);
  assert.deepEqual(queued.pending, []);
  assert.deepEqual(queued.turns.map((turn) => turn.status), ["running", "queued"]);
  assert.deepEqual(running.turns.map((turn) => turn.status), ["completed", "running"]);
});

test("a queued message knows how many turns of other conversations come first", () => {
  const place = (ahead) => ["place", { ahead }];
  const inLine = fold([confirmed(), asked(), place(2)]);
  const reloaded = fold([confirmed({ ahead: 1 }), asked()]);

  assert.equal(inLine.turns[0].ahead, 2);
  assert.equal(reloaded.turns[0].ahead, 1);
  assert.equal(fold([started()], inLine).ahead, null);
});

test("events of the running turn do not end up in the queued one", () => {
  const state = fold([confirmed(), asked(), started(), asked(2, "m2"), stream(0, "Sunny"), said("Sunny.")]);

  assert.equal(items(state, 0).length, 1);
  assert.equal(items(state, 1).length, 0);
});

test("a queued message is replaced by its edited text", () => {
  const state = fold([confirmed(), asked(), started(), asked(2, "m2", "Rome?"), asked(2, "m3", "Paris?")]);

  const [, { message, status, key }, ...others] = state.turns;
  assert.deepEqual([message.text, message.seq, status, key, others.length], ["Paris?", 4, "queued", "m2", 0]);
});

test("a message stopped before its turn began is withdrawn", () => {
  const state = fold([confirmed(), asked(), started(), asked(2, "m2"), ended("stopped", 2), ended("stopped")]);

  assert.deepEqual(state.turns.map((turn) => turn.status), ["stopped", "withdrawn"]);
});

test("rewound turns are gone, with their later events", () => {
  const before = fold([confirmed(), asked(), started(), said("Sunny."), ended(), asked(2, "m2"), started(2, "m2")]);

  const state = fold([rewound([1, 2]), asked(3, "m3", "Rome?"), said("Rainy.", 2), ended("stopped", 2), started(3, "m3")], before);

  assert.deepEqual(state.turns.map(({ number, status }) => [number, status]), [[3, "running"]]);
  assert.equal(state.lastSeq, before.lastSeq + 5);
});

test("a message counts its earlier versions, but not what a rollback cut off", () => {
  const answered = (turn) => [asked(turn, `m${turn}`), started(turn), ended("completed", turn)];
  const twice = fold([confirmed(), ...answered(1), rewound([1], "retry"), ...answered(2), rewound([2]), ...answered(3), ...answered(4)]);
  const cut = fold([rewound([4], "rollback"), ...answered(5)], twice);

  assert.deepEqual(twice.turns.map((turn) => turn.versions), [2, 0]);
  assert.deepEqual(cut.turns.map((turn) => turn.versions), [2, 0]);
});

test("a conversation has the server's title, at first and when renamed", () => {
  const state = fold([confirmed({ title: "Weather" })]);

  assert.equal(state.title, "Weather");
  assert.equal(fold([["session_renamed", { title: "Oslo", name: "Ada" }, 0]], state).title, "Oslo");
});

test("an error that names a message marks only that message", () => {
  const error = { code: "message_too_long", message: "Too long.", id: "m2" };
  const written = ["m1", "m2"].reduce((state, id) => write(state, { id, text: "?" }), fold([confirmed()]));

  const state = fold([["error", error]], written);

  assert.deepEqual(state.pending.map((message) => message.error?.code), [undefined, "message_too_long"]);
  assert.deepEqual(state.errors, []);
});

test("a known message is not added again", () => {
  const state = fold([confirmed(), asked()]);

  assert.equal(write(state, { id: "m1", text: "Oslo?" }), state);
});

test("a reconnect keeps what is shown", () => {
  const before = fold([confirmed(), asked(), started(), said("Sunny."), ended()]);

  const state = fold([confirmed({ last_seq: 4 })], before);

  assert.equal(state.turns, before.turns);
  assert.equal(state.lastSeq, 4);
});

for (const [name, more] of [
  ["the place lay beyond the log", { recovered: false }],
  ["the session was replaced", { session_id: "s2", replaced: "s1" }],
]) {
  test(`when ${name}, everything is reset except unsent messages`, () => {
    const before = write(fold([confirmed(), asked(), started(), said("Sunny.")]), { id: "m2", text: "Rome?" });

    const state = fold([confirmed(more)], before);

    assert.deepEqual(state.turns, []);
    assert.equal(state.lastSeq, 0);
    assert.deepEqual(state.pending.map((message) => message.id), ["m2"]);
    assert.equal(state.replaced, more.replaced ?? null);
  });
}

test("a replaced session still says so after the next reconnect", () => {
  const state = fold([confirmed({ session_id: "s2", replaced: "s1" }), confirmed({ session_id: "s2" })]);

  assert.equal(state.replaced, "s1");
});

test("replayed events are not live", () => {
  const state = fold([confirmed({ last_seq: 7 })]);

  assert.equal(isLive(state, { seq: 7, type: "text" }), false);
  assert.equal(isLive(state, { seq: 8, type: "text" }), true);
  assert.equal(isLive(state, { type: "stream" }), true);
});

test("an unchanged turn stays the same object", () => {
  const before = fold([confirmed(), asked(), started(), said("Sunny."), ended(), asked(2, "m2"), started(2, "m2")]);

  const state = fold([stream(0, "Rainy", "a2")], before);

  assert.equal(state.turns[0], before.turns[0]);
  assert.notEqual(state.turns[1], before.turns[1]);
});

test("the speaker of a group chat is known before the first token", () => {
  const state = fold([confirmed(), asked(), started(), ["group_chat_run_chat", { speaker: "planner" }, 1]]);

  assert.equal(state.turns[0].speaker, "planner");
});

test("the first message names the conversation, sent or not", () => {
  assert.equal(firstText(EMPTY), "");
  assert.equal(firstText(write(EMPTY, { id: "m1", text: "Oslo?" })), "Oslo?");
  assert.equal(firstText(fold([confirmed(), asked()])), "Oslo?");
});

test("frames without content do no harm", () => {
  const types = ["connection_confirmed", "user_message", "turn_started", "stream", "text", "tool_call", "error", "turn_completed"];

  const state = types.reduce((each, type, index) => reduce(each, { seq: index + 1, turn: 1, type }), EMPTY);

  assert.equal(state.lastSeq, types.length);
});

/** The processor time of folding a log of so many steps, the least of three runs. */
function cost(steps, perTurn) {
  const frames = [confirmed()];
  for (let step = 0; step < steps; step += 1) {
    const turn = Math.floor(step / perTurn) + 1;
    if (step % perTurn === 0) frames.push(asked(turn, `m${turn}`), started(turn));
    const id = `c${step}`;
    frames.push(called(id, turn), runs(id, turn), ran("12 °C", true, id, turn), said("Sunny.", turn, { message_id: `a${step}` }));
  }
  const costs = [1, 2, 3].map(() => {
    const begin = process.cpuUsage();
    fold(frames);
    return process.cpuUsage(begin).user;
  });
  return Math.min(...costs);
}

for (const [name, perTurn] of [["of many turns", 1], ["of one long turn", 1e6]]) {
  test(`folding a log ${name} costs what its length is`, () => {
    assert.ok(cost(4800, perTurn) < 12 * cost(1200, perTurn)); // 4 times, where looking at all items each time makes it 16
  });
}
