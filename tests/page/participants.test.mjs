/** Participants, typing, and the actions a person may take on each turn. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { isMine, showsNames, typingLine } from "../../website_files/static/js/core/session/participants.js";
import { ShownTurns, turnActions } from "../../website_files/static/js/core/session/turn-presentation.js";
import { TypingExpiry, TypingSignal } from "../../website_files/static/js/app/typing.js";
import { confirmed, ended, fold, rewound, started } from "./frames.mjs";

const ADA = { name: "Ada", role: "member", connections: 1 };
const BEN = { name: "Ben", role: "member", connections: 1 };
const here = (more = {}) => confirmed({ name: "Ada", role: "member", participants: [ADA, BEN], ...more });
const wrote = (turn, name = "Ada") => ["user_message", { id: `m${turn}`, text: "Oslo?", name }, turn];
const types = (name, is_typing = true) => ["typing", { name, is_typing }];

/** The actions of each turn, without display options. */
const can = (frames) => {
  const state = fold(frames);
  const actions = turnActions(state, true);
  return state.turns.map((turn) => actions(turn).filter((action) => !["named", "online"].includes(action)));
};

test("participants are those of the newest frame", () => {
  const state = fold([here(), ["presence", { participants: [ADA] }]]);

  assert.deepEqual(state.participants, [ADA]);
});

test("somebody is typing until they stop, send, or leave", () => {
  const writing = fold([here(), types("Ben")]);

  assert.deepEqual(writing.typing, ["Ben"]);
  assert.deepEqual(fold([types("Ben")], writing).typing, ["Ben"]);
  assert.deepEqual(fold([types("Ben", false)], writing).typing, []);
  assert.deepEqual(fold([wrote(1, "Ben")], writing).typing, []);
  assert.deepEqual(fold([["presence", { participants: [ADA] }]], writing).typing, []);
});

test("typing is described in words", () => {
  assert.equal(typingLine([]), "");
  assert.equal(typingLine(["Ada"]), "Ada is writing…");
  assert.equal(typingLine(["Ada", "Ben"]), "Ada and Ben are writing…");
  assert.equal(typingLine(["user"]), "User is writing…");
  assert.equal(typingLine(["Ada", "Ben", "Cleo"]), "3 people are writing…");
});

test("names are shown once there is more than one", () => {
  assert.equal(showsNames(fold([here(), wrote(1)])), false);
  assert.equal(showsNames(fold([here(), wrote(1), wrote(2, "Ben")])), true);
  assert.equal(showsNames(fold([here(), wrote(1, "Ben")])), true);
});

test("messages with my name, or none, are mine", () => {
  const state = fold([here()]);

  assert.deepEqual(["Ada", "user", undefined, "Ben"].map((name) => isMine(state, { name })), [true, true, true, false]);
});

test("in an idle conversation, own messages can be edited and the last answer retried", () => {
  const frames = [here(), wrote(1), started(1), ended(), wrote(2, "Ben"), started(2), ended("failed", 2)];

  assert.deepEqual(can(frames), [["edit"], ["retry"]]);
});

test("while a turn runs, its message and queued ones can be changed, older ones cannot", () => {
  const frames = [here(), wrote(1), started(1), ended(), wrote(2), started(2), wrote(3), wrote(4), wrote(5, "Ben")];

  assert.deepEqual(can(frames), [[], ["edit", "answer"], ["edit", "withdraw", "send-now"], ["edit", "withdraw"], []]);
});

test("a withdrawn message has no actions", () => {
  assert.deepEqual(can([here(), wrote(1), started(1), wrote(2), ended("stopped", 2), ended()]), [["edit"], []]);
});

test("after a rewind the last turn is the last one that counts", () => {
  assert.deepEqual(can([here(), wrote(1), started(1), ended(), wrote(2), started(2), ended("completed", 2), rewound([2])]), [["edit", "retry"]]);
});

test("a viewer has no actions", () => {
  assert.deepEqual(can([here({ role: "viewer" }), wrote(1), started(1)]), [[]]);
});

test("a turn's view is rebuilt only when the turn or its actions changed", () => {
  const shown = new ShownTurns();
  const turn = { number: 1 };

  const first = shown.show(turn, ["edit"]);

  assert.equal(shown.show(turn, ["edit"]), first);
  assert.notEqual(shown.show(turn, []), first);
});

test("typing is announced at most every three seconds, and its end once", () => {
  let now = 0;
  const said = [];
  const signal = new TypingSignal((isTyping) => said.push([now, isTyping]), () => now);

  for (const [at, isWriting] of [[0, false], [10, true], [2000, true], [3010, true], [3100, false], [3200, false], [3300, true]]) {
    now = at;
    signal.wrote(isWriting);
  }

  assert.deepEqual(said, [[10, true], [3010, true], [3100, false], [3300, true]]);
});

test("typing expires if it is not repeated", () => {
  const timers = new Map();
  const forgotten = [];
  const environment = { setTimeout: (run, ms) => (timers.set(run, ms), run), clearTimeout: (run) => timers.delete(run) };
  const memory = new TypingExpiry((name) => forgotten.push(name), environment);

  memory.heard({ name: "Ben", is_typing: true });
  memory.heard({ name: "Ben", is_typing: true });
  memory.heard({ name: "Cleo", is_typing: true });
  memory.heard({ name: "Cleo", is_typing: false });
  for (const [run, ms] of timers) assert.equal(ms, 6000, run());

  assert.deepEqual(forgotten, ["Ben"]);
});
