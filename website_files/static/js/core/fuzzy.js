/** Finds entries by a few letters of their words. */

const START = 3; // points for a letter that begins a word
const NEXT = 2; // for one right behind the last
const ANY = 1;

/** How well the letters of a query are found in a text, in their order; 0 if they are not. */
export function score(query, text) {
  const wanted = fold(query);
  const given = fold(text);
  if (!wanted) return ANY;
  const at = given.indexOf(wanted);
  if (at >= 0) return wanted.length * (isStart(given, at) ? START + NEXT : NEXT) + (at === 0 ? START : 0);
  return scattered(wanted, given);
}

/**
 * Returns the entries that match, best first; those that match alike stay in order.
 * @template T @param {string} query @param {T[]} entries @param {(entry: T) => string[]} textsOf the title, then others
 * @returns {T[]}
 */
export function bestMatches(query, entries, textsOf) {
  const words = query.trim().split(/\s+/).filter(Boolean);
  const rated = entries.map((entry) => ({ entry, points: words.length ? points(words, textsOf(entry)) : ANY }));
  return rated.filter((each) => each.points > 0).sort((a, b) => b.points - a.points).map(({ entry }) => entry);
}

/** Each word of the query has to be found; a title counts twice. */
function points(words, [title, ...others]) {
  const each = words.map((word) => Math.max(2 * score(word, title), ...others.map((text) => score(word, text))));
  return each.every((one) => one > 0) ? each.reduce((sum, one) => sum + one, 0) : 0;
}

/** Letters that are apart: each has to follow the last one or to begin a word, so that not everything is found. */
function scattered(wanted, given) {
  let total = 0;
  let from = 0;
  let last = -1;
  for (const letter of wanted) {
    let at = given.indexOf(letter, from);
    while (at >= 0 && at !== last + 1 && !isStart(given, at)) at = given.indexOf(letter, at + 1);
    if (at < 0 || (last < 0 && !isStart(given, at))) return 0;
    total += isStart(given, at) ? START : NEXT;
    last = at;
    from = at + 1;
  }
  return total;
}

function isStart(text, at) {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]);
}

/** Without case and accents. */
function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();
}
