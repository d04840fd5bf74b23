/**
 * Parses a unified diff into lines to display.
 *
 * @typedef {{kind: "added"|"removed"|"same"|"gap"|"note", before: number|null, after: number|null, text: string}} Line
 *   `before` and `after` are the line numbers in the old and the new file.
 */

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)$/;

/** @returns {{added: number, removed: number, lines: Line[]}} */
export function readDiff(diff) {
  const lines = [];
  let before = null; // null until the first hunk; the lines above it only name the files
  let after = 0;
  for (const written of diff.replace(/\n$/, "").split("\n")) {
    const hunk = HUNK.exec(written);
    if (hunk) {
      [before, after] = [Number(hunk[1]), Number(hunk[2])];
      if (lines.length || hunk[3]) lines.push({ kind: "gap", before: null, after: null, text: hunk[3] });
    } else if (before !== null) {
      const line = lineOf(written, before, after);
      lines.push(line);
      if (line.before !== null) before += 1;
      if (line.after !== null) after += 1;
    }
  }
  const many = (kind) => lines.filter((line) => line.kind === kind).length;
  return { added: many("added"), removed: many("removed"), lines };
}

function lineOf(written, before, after) {
  const text = written.slice(1);
  if (written[0] === "+") return { kind: "added", before: null, after, text };
  if (written[0] === "-") return { kind: "removed", before, after: null, text };
  if (written[0] === "\\") return { kind: "note", before: null, after: null, text: text.trim() };
  return { kind: "same", before, after, text };
}
