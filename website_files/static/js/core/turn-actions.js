/** What a person may do with each turn now. Pure. */

import { isPassedOn } from "./turn-presentation.js";
import { isMine, isViewer, showsNames } from "./participants.js";
import { runningTurn } from "./session-state.js";

/**
 * @typedef {"edit"|"withdraw"|"send-now"|"retry"|"answer"|"named"|"online"} Action `named`: the person's name is shown
 * @param {import("./session-state.js").State} state
 * @returns {(turn: import("./session-state.js").Turn) => Action[]}
 */
export function turnActions(state, isOnline) {
  const running = runningTurn(state);
  const next = state.turns.find((turn) => turn.status === "queued");
  const isQuiet = !running && !next && !state.held;
  const last = state.turns.findLast((turn) => turn.number > 0);
  const always = [showsNames(state) && "named", isOnline && "online"].filter(Boolean);
  if (isViewer(state)) return () => always;

  return (turn) => {
    const isOwn = turn.message !== null && isMine(state, turn.message);
    const waits = turn.status === "queued";
    const counts = turn.status !== "withdrawn";
    const can = {
      edit: isOwn && counts && (waits || turn === running || isQuiet),
      withdraw: isOwn && waits,
      "send-now": isOwn && running && turn === next,
      retry: isQuiet && counts && turn === last && turn.message !== null && !isPassedOn(turn),
      answer: turn === running,
    };
    return [...always, ...Object.keys(can).filter((action) => can[action])];
  };
}

/** Keeps what was made of an object as long as nothing about it changes: views compare by identity. */
export class ShownTurns {
  #known = new WeakMap(); // turn → { how, shown }

  show(turn, actions, level) {
    const how = [level, ...actions].join();
    const known = this.#known.get(turn);
    if (known?.how === how) return known.shown;
    const shown = { ...turn, can: new Set(actions), level };
    this.#known.set(turn, { how, shown });
    return shown;
  }
}
