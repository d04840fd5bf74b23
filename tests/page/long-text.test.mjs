/** Long texts in pieces, and where words are in them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { found, MOST_FOUND, PIECE, pieceAt, pieceStarts } from "../../website_files/static/js/core/contents/long-text.js";

test("a long text is cut at ends of lines, and a long line between characters", () => {
  assert.deepEqual(pieceStarts(""), [0]);
  assert.deepEqual(pieceStarts("abcdefghij", 4), [0, 4, 8]);
  assert.deepEqual(pieceStarts("abc\ndefg", 5), [0, 4]);
  assert.deepEqual(pieceStarts("abc😀d", 4), [0, 3]);
  assert.equal(pieceStarts("x".repeat(2_000_000)).length, Math.ceil(2_000_000 / PIECE));
});

test("each place is in the piece that starts before it", () => {
  const starts = [0, 4, 8];
  assert.deepEqual([0, 3, 4, 7, 8, 99].map((place) => pieceAt(starts, place)), [0, 0, 1, 1, 2, 2]);
});

test("a search covers the whole text, whatever the case, and takes signs as they are", () => {
  const text = `${"x".repeat(PIECE * 3)}Moss (a.b) moss`;
  assert.deepEqual(found(text, "moss").map(({ at }) => at - PIECE * 3), [0, 11]);
  assert.equal(found(text, "(A.B)").length, 1);
  assert.equal(found(text, "[").length, 0);
  assert.equal(found(text, "").length, 0);
  assert.equal(found("x".repeat(MOST_FOUND + 5), "x").length, MOST_FOUND);
});
