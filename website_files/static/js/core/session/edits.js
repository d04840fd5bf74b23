/**
 * Edits of messages that the server has not confirmed yet, each kept with the turn of its message.
 *
 * @typedef {{id: string, text: string, error: string|null}} Edit `error` says why the server refused it.
 */

import { changeTurn } from "./turns.js";

/** @param {Edit} edit */
export function beginEdit(state, seq, edit) {
  return changeEdit(state, ({ message }) => message?.seq === seq, edit);
}

/** The edits that may not have arrived. Each has an id, so it can safely be sent again. */
export function unconfirmedEdits(state) {
  return state.turns
    .filter(({ edit }) => edit && edit.error === null)
    .map(({ message, edit: { id, text } }) => ({ seq: message.seq, text, id }));
}

export function refuseEdit(state, id, error) {
  const turn = state.turns.find(({ edit }) => id && edit?.id === id);
  return turn ? changeEdit(state, (each) => each === turn, { ...turn.edit, error }) : state;
}

function changeEdit(state, isMeant, edit) {
  const turn = state.turns.findLast(isMeant);
  return turn ? changeTurn(state, turn.number, (each) => ({ ...each, edit })) : state;
}
