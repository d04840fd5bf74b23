/** The newest words of thoughts that stream in. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { lastWords } from "../../website_files/static/js/core/last-words.js";

test("the last line that has words is shown, without marks", () => {
  assert.equal(lastWords("First.\n\n- **Then** look at `x`\n\n"), "Then look at x");
  assert.equal(lastWords("## Plan"), "Plan");
  assert.equal(lastWords(""), "");
  assert.equal(lastWords(" \n "), "");
});

test("of a long line the end is shown, from a word on", () => {
  const line = lastWords(`${"word ".repeat(100)}end`);
  assert.match(line, /^…word /);
  assert.match(line, / end$/);
  assert.ok(line.length <= 121);
});
