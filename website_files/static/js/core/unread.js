/**
 * Which conversations have something new since they were last looked at.
 *
 * @typedef {{since: string, at: {[id: string]: string}}} Seen times of the server: nothing before `since` is new, and
 *   nothing before `at` in the conversation with that id
 */

const MOST = 1000; // conversations remembered

/** @param {{id: string, updated: string}} entry @param {Seen} seen */
export function isUnread({ id, updated }, { since, at }) {
  return Boolean(updated) && updated > (at[id] > since ? at[id] : since);
}

/** Notes that a conversation was looked at. @param {Seen} seen @returns {Seen} the same object if nothing changes */
export function withSeen(seen, { id, updated }) {
  if (!isUnread({ id, updated }, seen)) return seen;
  const { [id]: _, ...others } = seen.at;
  const at = Object.entries(others).slice(1 - MOST); // the oldest go first
  return { ...seen, at: { ...Object.fromEntries(at), [id]: updated } };
}

/** Begins to remember: what is there now was seen. @param {{updated: string}[]} entries @returns {Seen} */
export function seenSoFar(entries) {
  return { since: entries.map(({ updated }) => updated).sort().at(-1) ?? "", at: {} };
}
