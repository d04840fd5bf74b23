/** How long to wait before trying again: longer each time, and never the same for all pages at once. */

const FIRST = 500; // ms
const LONGEST = 30_000; // ms

/** @param {number} tries how many were in vain so far */
export function backoff(tries, random = Math.random) {
  return Math.min(FIRST * 2 ** tries, LONGEST) * (0.5 + random());
}
