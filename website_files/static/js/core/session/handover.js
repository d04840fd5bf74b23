/**
 * Tracks who has the conversation: the agents, or a human operator it was handed over to.
 *
 * @typedef {{state: "waiting"|"taken", operator: string, reason: string, since: string|null, operators: number}} Handover
 *   `operators` counts those who have the desk open.
 */

import { displayName } from "../format.js";
import { t } from "../words.js";
import { personName } from "./participants.js";

/** State after each kind of handoff. A handoff between agents is not listed: it changes nothing here. */
const STATES = { wanted: "waiting", taken: "taken", returned: null };

/** Applies a handoff event. Replayed ones are ignored: `connection_confirmed` already reported the current state. */
export function onHandoff(state, { kind, to, reason = "" }, { seq, ts }) {
  if (!(kind in STATES) || seq <= state.replayUntil) return state;
  return { ...state, held: STATES[kind] && newHandover(state.held, kind, to, reason, ts) };
}

/** Updates how many operators are available. */
export function onOperators(state, { there = 0 }) {
  return state.held ? { ...state, held: { ...state.held, operators: there } } : state;
}

/** A takeover gives no reason of its own, so the reason for the request is kept. */
function newHandover(before, kind, to, reason, ts) {
  const isTaken = kind === "taken";
  return {
    state: STATES[kind],
    operator: isTaken ? to ?? "" : "",
    reason: isTaken ? before?.reason ?? reason : reason,
    since: ts ?? null,
    operators: before?.operators ?? 0,
  };
}

/** Tells the person that they are waiting for an operator, or talking to one. */
export function handoverWords({ state, operator, operators }) {
  if (state === "taken") return operator ? t`You are talking with ${operator}.` : t`You are talking with a person.`;
  if (operators > 0) return t`You asked for a person. Somebody is there and will answer soon.`;
  return t`You asked for a person. Nobody is there right now; your conversation is kept, and whoever comes will answer here.`;
}

const WORDS = {
  agents: ({ from, to }) => t`${displayName(from)} → ${displayName(to)}`,
  wanted: ({ from }) => t`${displayName(from)} asks for a person`,
  taken: ({ to }) => t`${personName(to)} took over`,
  returned: ({ from }) => t`${personName(from)} gave the conversation back`,
};

/** Describes a handoff event in one line. */
export function handoffWords({ how, from, to, reason }) {
  const words = WORDS[how]?.({ from, to }) ?? t`${from} → ${to}`;
  return reason ? `${words}: ${reason}` : words;
}
