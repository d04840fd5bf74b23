/**
 * The task list of a conversation, folded from its events.
 *
 * @typedef {{key: string, id: number, title: string, details: string, dependsOn: number[],
 *   status: "open"|"doing"|"done", author: string, by: string}} Task `author` created it, `by` changed it last.
 * @typedef {{turn: number, type: string, content: object}} Change
 */

import { withEffect } from "./folded-steps.js";
import { changeTurn } from "./turns.js";

const NAMES = { title: "title", details: "details", depends_on: "dependsOn", status: "status", by: "by" };

/** Handles both `task_created` and `task_updated`. */
export function onTask(state, content, { type, turn = 0 }) {
  const change = { type, turn, content };
  const noted = turn ? changeTurn(state, turn, (each) => withEffect(each)) : state;
  return { ...noted, planChanges: [...state.planChanges, change], tasks: changed(state.tasks, change) };
}

/** Undoes the changes made by discarded turns and keeps those that people made outside of turns. */
export function withoutTurns(state, gone) {
  const planChanges = state.planChanges.filter(({ turn }) => !gone.has(turn));
  if (planChanges.length === state.planChanges.length) return state;
  return { ...state, planChanges, tasks: planChanges.reduce(changed, []) };
}

/** Unfinished tasks that this one depends on. @returns {Task[]} */
export function blockers(task, tasks) {
  if (task.status === "done") return [];
  return tasks.filter((other) => task.dependsOn.includes(other.id) && other.status !== "done");
}

/** Number of finished tasks, and of all tasks. @returns {{done: number, all: number}} */
export function progress(tasks) {
  return { done: tasks.filter((task) => task.status === "done").length, all: tasks.length };
}

function changed(tasks, { type, content }) {
  const { id, by = "" } = content;
  if (type === "task_created") {
    const made = {
      key: `task-${id}`, id, title: "", details: "", dependsOn: [], status: "open", author: by, ...fields(content),
    };
    return [...tasks.filter((task) => task.id !== id), made];
  }
  return tasks.map((task) => (task.id === id ? { ...task, ...fields(content) } : task));
}

function fields(content) {
  const given = Object.entries(NAMES).filter(([name]) => content[name] !== undefined && content[name] !== null);
  return Object.fromEntries(given.map(([name, ours]) => [ours, content[name]]));
}
