/** Unified diffs as lines. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readDiff } from "../../website_files/static/js/core/contents/diff.js";

const DIFF = `--- notes.md
+++ notes.md
@@ -1,4 +1,5 @@
 # Notes
-old
+new
+--- more
 
 end
@@ -20,2 +21,1 @@ def later():
-gone
 kept
\\ No newline at end of file
`;

test("lines have their numbers in the old and the new file", () => {
  const { added, removed, lines } = readDiff(DIFF);

  assert.deepEqual([added, removed], [2, 2]);
  assert.deepEqual(lines.map(({ kind, before, after }) => [kind, before, after]), [
    ["same", 1, 1], ["removed", 2, null], ["added", null, 2], ["added", null, 3], ["same", 3, 4], ["same", 4, 5],
    ["gap", null, null], ["removed", 20, null], ["same", 21, 21], ["note", null, null],
  ]);
  assert.deepEqual([lines[3].text, lines[6].text], ["--- more", "def later():"]);
});

test("text that is not a diff has no lines", () => {
  assert.deepEqual(readDiff(""), { added: 0, removed: 0, lines: [] });
  assert.deepEqual(readDiff("Binary files differ").lines, []);
});
