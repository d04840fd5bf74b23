/** Feedback on answers: whose counts, how it reads, and who may give it on which answer. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ratingWords } from "../../website_files/static/js/core/session/feedback.js";
import { ShownTurns, turnActions, visibleItems } from "../../website_files/static/js/core/session/turn-presentation.js";
import { asked, called, confirmed, ended, fold, ran, rewound, said, started } from "./frames.mjs";

const ANSWER = 3; // the seq of the answer
const answered = [confirmed({ name: "Ada" }), asked(), started(), said("Sunny."), ended()];
const rates = (score, { name = "Ada", comment = "", seq = ANSWER } = {}) => [
  "feedback", { seq, message_id: "a1", score, comment, name }, 0,
];
const ratings = (state) => state.turns[0].items[0].ratings;
const rateable = (frames) => {
  const state = fold(frames);
  return state.turns.map((turn) => turnActions(state, true)(turn).includes("rate"));
};

test("the newest feedback of each person counts", () => {
  const state = fold([...answered, rates(1), rates(1, { name: "Ben" }), rates(-1, { comment: "Too short" })]);

  assert.deepEqual(ratings(state), [
    { name: "Ben", score: 1, comment: "" }, { name: "Ada", score: -1, comment: "Too short" },
  ]);
});

test("a score of 0 withdraws what that person said before", () => {
  const state = fold([...answered, rates(1), rates(1, { name: "Ben" }), rates(0), rates(0, { name: "Cleo" })]);

  assert.deepEqual(ratings(state).map(({ name }) => name), ["Ben"]);
});

test("feedback adds no line to the conversation, and leaves other turns as they are", () => {
  const before = fold([...answered, ["file_changed", { path: "a.txt", kind: "created", size: 1, by: "Ada" }, 0]]);
  const state = fold([rates(1)], before);

  assert.deepEqual(visibleItems(state.turns[0], "all").map(({ kind }) => kind), ["speaker", "message"]);
  assert.equal(state.turns.length, 2);
  assert.equal(state.turns[1], before.turns[1]);
  assert.equal(state.lastSeq, before.lastSeq + 1);
});

test("feedback on what no longer counts, or is no answer, changes nothing", () => {
  const before = fold([...answered, rewound([1], "retry"), asked(2, "m2")]);

  assert.equal(fold([rates(1), rates(1, { seq: 99 })], before).turns, before.turns);
});

test("each answer of a turn has its own, also one that is not the last", () => {
  const state = fold([confirmed(), asked(), started(), said("One."), said("Two.", 1, { message_id: "a2" }), rates(-1), ended()]);

  assert.deepEqual(state.turns[0].items.map((item) => item.ratings.length), [1, 0]);
});

test("feedback in words", () => {
  assert.equal(ratingWords({ name: "Ann", score: 1, comment: "Just right" }), "Ann rated this answer: good - Just right");
  assert.equal(ratingWords({ name: "user", score: -1, comment: "" }), "User rated this answer: bad");
});

test("an answer can be rated once its turn is over", () => {
  assert.deepEqual(rateable(answered.slice(0, -1)), [false]);
  assert.deepEqual(rateable(answered), [true]);
  assert.deepEqual(rateable([...answered.slice(0, -1), ended("stopped")]), [true]);
  assert.deepEqual(rateable([...answered, asked(2, "m2"), started(2, "m2")]), [true, false]);
});

test("a turn without an answer, and what an operator says, cannot be rated", () => {
  const operator = said("Hello.", 2, { message_id: "o1", sender: "Ann", operator: true });

  assert.deepEqual(rateable([confirmed(), asked(), started(), called(), ran("3"), ended()]), [false]);
  assert.deepEqual(rateable([...answered, operator]), [true, false]);
});

test("what is said along with a tool call cannot be rated", () => {
  const [type, content, turn] = called();

  assert.deepEqual(rateable([confirmed(), asked(), started(), [type, { ...content, content: "I look." }, turn], ended()]), [false]);
});

test("viewers rate nothing", () => {
  assert.deepEqual(rateable([...answered, confirmed({ role: "viewer" })]), [false]);
});

test("a turn is shown anew to a person of another name, whose feedback is another", () => {
  const [turn] = fold(answered).turns;
  const shown = new ShownTurns();
  const ada = shown.show(turn, ["rate"], "all", "Ada");

  assert.equal(shown.show(turn, ["rate"], "all", "Ada"), ada);
  assert.equal(shown.show(turn, ["rate"], "all", "Ben").me, "Ben");
});
