/** What a person may do with each turn now. Pure. */

import { isMine, isViewer, showsNames } from "./people.js";
import { runningTurn } from "./session.js";

/**
 * @typedef {"edit"|"withdraw"|"send-now"|"retry"|"answer"|"named"|"online"} Action `named`: the person's name is shown
 * @param {import("./session.js").State} state
 * @returns {(turn: import("./session.js").Turn) => Action[]}
 */
export function turnActions(state, isOnline) {
  const running = runningTurn(state);
  const next = state.turns.find((turn) => turn.status === "queued");
  const isQuiet = !running && !next;
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
      retry: isQuiet && counts && turn === state.turns.at(-1),
      answer: turn === running,
    };
    return [...always, ...Object.keys(can).filter((action) => can[action])];
  };
}

/** Keeps what was made of an object as long as neither it nor its actions change: views compare by identity. */
export class ShownTurns {
  #known = new WeakMap(); // turn → { actions, shown }

  show(turn, actions) {
    const known = this.#known.get(turn);
    if (known?.actions === actions.join()) return known.shown;
    const shown = { ...turn, can: new Set(actions) };
    this.#known.set(turn, { actions: actions.join(), shown });
    return shown;
  }
}
