const FIRST = 500; // ms
const LONGEST = 30_000; // ms

/**
 * Milliseconds to wait before the next try. They double each time, and are randomized so that pages don't retry in step.
 * @param {number} tries number of failed tries so far
 */
export function backoff(tries, random = Math.random) {
  return Math.min(FIRST * 2 ** tries, LONGEST) * (0.5 + random());
}
