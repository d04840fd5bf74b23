/**
 * How far running tools have got. It is told live only: after a reconnect the server repeats it before the events of the
 * log, so what has no call yet waits in the state until its call is there. Pure.
 *
 * @typedef {{done: number, total: number|null, text: string}} Progress
 */

import { openCall } from "./tool-calls.js";
import { changeTurn, putItem } from "./turns.js";

export function onProgress(state, content) {
  const call = callOf(state, content);
  if (call) return changeTurn(state, content.turn, (turn) => putItem(turn, { ...call, progress: progressOf(content) }));
  const others = state.progress.filter(({ turn, id }) => turn !== content.turn || id !== content.id);
  return { ...state, progress: [...others, content] };
}

/** Wraps what makes calls of a turn. */
export function withProgress(handler) {
  return (before, content, event) => {
    const state = handler(before, content, event);
    if (state.progress.length === 0) return state;
    return state.progress.reduce(onProgress, { ...state, progress: [] });
  };
}

function callOf(state, { turn: number, id, tool }) {
  const turn = state.turns.find((each) => each.number === number && each.status === "running");
  return turn && openCall(turn, id, tool);
}

function progressOf({ done, total, text }) {
  return { done: Number(done) || 0, total: Number(total) || null, text: text ?? "" };
}
