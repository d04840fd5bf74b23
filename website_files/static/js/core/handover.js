/**
 * Who has the conversation: the agents, or a human whom it was handed to. Pure.
 *
 * @typedef {{state: "waiting"|"taken", operator: string, reason: string, since: string|null, operators: number}} Held
 *   `operators` have their desk open.
 */

const NOBODY = "Nobody is there right now; your conversation is kept, and whoever comes will answer here.";

/** The newest of these says who has it; a hand-over between agents changes nothing. */
const STATES = { wanted: "waiting", taken: "taken", returned: null };

/** What is replayed was over before `connection_confirmed` said how it is now. */
export function onHandoff(state, { kind, to, reason = "" }, { seq, ts }) {
  if (!(kind in STATES) || seq <= state.replayUntil) return state;
  return { ...state, held: STATES[kind] && newHeld(state.held, kind, to, reason, ts) };
}

export function onOperators(state, { there = 0 }) {
  return state.held ? { ...state, held: { ...state.held, operators: there } } : state;
}

/** Who takes a conversation tells nothing of what it is about: that was said by whoever wanted a human. */
function newHeld(before, kind, to, reason, ts) {
  const isTaken = kind === "taken";
  return {
    state: STATES[kind],
    operator: isTaken ? to ?? "" : "",
    reason: isTaken ? before?.reason ?? reason : reason,
    since: ts ?? null,
    operators: before?.operators ?? 0,
  };
}

/** @returns {string} what the person who waits, or talks with an operator, has to know */
export function heldWords({ state, operator, operators }) {
  if (state === "taken") return `You are talking with ${operator || "a person"}.`;
  if (operators > 0) return "You asked for a person. Somebody is there and will answer soon.";
  return `You asked for a person. ${NOBODY}`;
}
