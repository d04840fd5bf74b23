/** A text that streams in is rendered again and again, at a cost that is linear in its length. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamedText } from "../../website_files/static/js/core/streamed-text.js";

/** Blocks as the server gives them, for texts whose blocks are separated by empty lines. */
function rendered(source) {
  let lines = 0;
  return source.split("\n\n").filter(Boolean).map((block, place) => {
    lines += (place ? 1 : 0) + block.trimEnd().split("\n").length;
    return { html: `<p>${block.trim()}</p>`, lines };
  });
}

/** Streams a text in pieces; returns what was rendered. */
function stream(text, piece = 5) {
  const streamed = new StreamedText();
  const sources = [];
  for (let end = piece; end < text.length + piece; end += piece) {
    streamed.update(text.slice(0, end));
    const source = streamed.next(false);
    if (source === null) continue;
    sources.push(source);
    streamed.rendered(source, false, rendered(source));
  }
  return { streamed, sources };
}

test("closed blocks are rendered once", () => {
  const { streamed, sources } = stream("first\n\nsecond\n\nthird\n\nfourth block\n\n", 3);
  assert.deepEqual(streamed.blocks.slice(0, 3), ["<p>first</p>", "<p>second</p>", "<p>third</p>"]);
  assert.ok(!sources.at(-1).includes("second"), sources.at(-1));
  assert.ok(streamed.blocks.at(-1).startsWith("<p>fourth"));
});

test("what was not rendered yet is the tail, until the whole text is", () => {
  const { streamed } = stream("one\n\n" + "word ".repeat(100));
  streamed.update(`${streamed.text}new`);
  assert.equal(streamed.next(false), null);
  assert.ok(streamed.tail.endsWith("new"));
  const whole = streamed.next(true);
  assert.equal(whole, streamed.text);
  assert.equal(streamed.rendered(whole, true, rendered(whole)), 0);
  assert.equal(streamed.tail, "");
  assert.equal(streamed.next(true), null);
  streamed.update(`${streamed.text} more`);
  assert.equal(streamed.next(true), streamed.text);
});

test("another text begins anew", () => {
  const { streamed } = stream("one\n\ntwo\n\nthree\n\n");
  assert.equal(streamed.update("other"), true);
  assert.deepEqual([streamed.blocks, streamed.next(false)], [[], "other"]);
});

for (const [name, part] of [["one paragraph", "word "], ["one block of code", "line of code\n"], ["many blocks", "a few words\n\n"]]) {
  test(`the work is linear in the length of ${name}`, () => {
    const work = (length) => {
      const { sources } = stream(part.repeat(Math.ceil(length / part.length)), 20);
      return sources.reduce((sum, source) => sum + source.length, 0);
    };
    assert.ok(work(16_000) <= 4.6 * work(4_000), `${work(16_000)} of ${work(4_000)}`);
    assert.ok(work(100_000) <= 6 * 100_000, String(work(100_000)));
  });
}

test("an open block of a great length is rendered once it may be closed", () => {
  const { streamed, sources } = stream(`\`\`\`\n${"line of code\n".repeat(4000)}`, 100);
  assert.ok(sources.at(-1).length < 30_000);
  assert.equal(streamed.next(false), null);
  streamed.update(`${streamed.text}\`\`\``);
  assert.equal(streamed.next(false), streamed.text);
});
