/**
 * Feedback on answers: what people think of an agent's message. The newest by each person counts.
 *
 * @typedef {{name: string, score: 1|-1, comment: string}} Rating
 */

import { t } from "../words.js";
import { personName } from "./participants.js";
import { changeTurn, putItem } from "./turns.js";

/** Adds a person's rating to the answer at `seq`, replacing their last one; a score of 0 only withdraws that. */
export function onFeedback(state, { seq, score, comment, name }) {
  const turn = state.turns.findLast(({ items }) => items.some((item) => item.seq === seq));
  if (!turn) return state; // the answer no longer counts
  const answer = turn.items.find((item) => item.seq === seq);
  const others = answer.ratings.filter((rating) => rating.name !== name);
  const ratings = score ? [...others, { name, score, comment }] : others;
  return changeTurn(state, turn.number, (each) => putItem(each, { ...answer, ratings }));
}

/** `Ann rated this answer: bad - Too short`. @param {Rating} rating */
export function ratingWords({ name, score, comment }) {
  const who = personName(name);
  const words = score > 0 ? t`${who} rated this answer: good` : t`${who} rated this answer: bad`;
  return comment ? `${words} - ${comment}` : words;
}
