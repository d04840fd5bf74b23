/** Long texts in pieces of a bounded size, and where words are in them. */

export const PIECE = 64_000; // characters
export const MOST_FOUND = 10_000;
const NEAR = 4_000; // characters before the end of a piece in which a line may end

/** Returns where each piece of a text starts. Pieces end with a line if one ends near, and never within a character. */
export function pieceStarts(text, size = PIECE) {
  const starts = [0];
  for (let end = size; end < text.length; end = starts.at(-1) + size) {
    const line = text.lastIndexOf("\n", end - 1) + 1;
    const isSplit = /[\ud800-\udbff]/.test(text[end - 1]) && size > 1;
    starts.push(line > end - Math.min(NEAR, size / 2) ? line : isSplit ? end - 1 : end);
  }
  return starts;
}

/** Returns the number of the piece that a place of the text is in. */
export function pieceAt(starts, place) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle] <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Finds a text in another, whatever the case of its letters.
 * @returns {{at: number, length: number}[]} at most MOST_FOUND places
 */
export function found(text, query) {
  const places = [];
  if (!query) return places;
  const pattern = new RegExp(query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  for (const match of text.matchAll(pattern)) {
    places.push({ at: match.index, length: match[0].length });
    if (places.length === MOST_FOUND) break;
  }
  return places;
}
