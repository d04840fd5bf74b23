/** The time that is left until a question is given up. */

import { t, tn } from "./words.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MAX_WAIT = 24 * HOUR; // timers cannot wait for much longer

/**
 * Returns the words for what is left, and the milliseconds until they change; 0 if they never do.
 * @param {string|null} expires @param {number} now
 */
export function timeLeft(expires, now) {
  const left = Date.parse(expires ?? "") - now;
  if (Number.isNaN(left)) return { words: "", next: 0 };
  if (left <= 0) return { words: t`Time is up`, next: 0 };
  const unit = left > 2 * HOUR ? HOUR : left > 2 * MINUTE ? MINUTE : SECOND;
  const count = Math.ceil(left / unit);
  const next = Math.min(left - (count - 1) * unit, MAX_WAIT) || unit;
  if (unit === HOUR) return { words: tn(count, "{n} hour left", "{n} hours left"), next };
  if (unit === MINUTE) return { words: tn(count, "{n} minute left", "{n} minutes left"), next };
  return { words: tn(count, "{n} second left", "{n} seconds left"), next };
}
