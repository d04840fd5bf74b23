/** Where the words that were looked for stand in a text, by the rules of the server's search. Pure. */

const WORD = /[\p{L}\p{N}]+/gu;

/** @returns {{text: string, isFound: boolean}[]} the whole text in pieces */
export function marked(text, query) {
  const wanted = (query.match(WORD) ?? []).map(plain);
  const last = wanted.at(-1);
  if (!last) return [{ text, isFound: false }];
  const pieces = [];
  let end = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!wanted.includes(plain(word)) && !plain(word).startsWith(last)) continue;
    if (index > end) pieces.push({ text: text.slice(end, index), isFound: false });
    pieces.push({ text: word, isFound: true });
    end = index + word.length;
  }
  return end < text.length ? [...pieces, { text: text.slice(end), isFound: false }] : pieces;
}

/** `Élan` is found by `elan`. */
function plain(word) {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
