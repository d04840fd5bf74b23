/** The plan: tasks reduced from events, and their dependencies. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { blockers, progress } from "../../website_files/static/js/core/session/plan.js";
import { asked, confirmed, ended, fold, rewound, started } from "./frames.mjs";

const made = (id, more = {}, turn = 1) => [
  "task_created", { id, title: `Task ${id}`, details: "", depends_on: [], status: "open", by: "planner", ...more }, turn,
];
const changed = (id, more, turn = 0) => ["task_updated", { id, by: "Ada", ...more }, turn];
const begun = [confirmed(), asked(), started()];
const titles = ({ tasks }) => tasks.map(({ title, status }) => [title, status]);

test("tasks have the state of their newest event, in order of creation", () => {
  const { tasks } = fold([...begun, made(1), made(2), changed(1, { status: "done" }), changed(2, { title: "Two" })]);

  assert.deepEqual(titles({ tasks }), [["Task 1", "done"], ["Two", "open"]]);
  assert.deepEqual([tasks[0].author, tasks[0].by], ["planner", "Ada"]);
  assert.deepEqual(progress(tasks), { done: 1, all: 2 });
});

test("a task without news stays the same object", () => {
  const before = fold([...begun, made(1), made(2)]);
  const after = fold([changed(2, { status: "doing" })], before);

  assert.equal(after.tasks[0], before.tasks[0]);
});

test("a change of an unknown task is ignored", () => {
  assert.deepEqual(fold([...begun, changed(7, { status: "done" })]).tasks, []);
});

test("a task is blocked by its dependencies until they are done", () => {
  const { tasks } = fold([...begun, made(1), made(2, { depends_on: [1, 9] })]);
  assert.deepEqual(blockers(tasks[1], tasks).map(({ id }) => id), [1]);

  const later = fold([changed(1, { status: "done" })], fold([...begun, made(1), made(2, { depends_on: [1] })])).tasks;
  assert.deepEqual(blockers(later[1], later), []);
});

test("changes of a rewound turn are undone, people's ticks stay", () => {
  const first = [...begun, made(1), ended()];
  const second = [asked(2, "m2"), started(2, "m2"), made(2, {}, 2), changed(1, { title: "Other" }, 2), ended("completed", 2)];
  const state = fold([...first, ...second, changed(1, { status: "done" }), rewound([2])]);

  assert.deepEqual(titles(state), [["Task 1", "done"]]);
});

test("a tick disappears with its task, and does not apply to a new one with the same number", () => {
  const state = fold([...begun, made(1), changed(1, { status: "done" }), rewound([1]), asked(2), started(2), made(1, {}, 2)]);

  assert.deepEqual(titles(state), [["Task 1", "open"]]);
});
