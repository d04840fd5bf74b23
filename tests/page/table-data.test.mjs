/** Tables made of data. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { cellText, sorted, tableOfCsv, tableOfRecords } from "../../website_files/static/js/core/contents/table-data.js";

test("records become rows, with the fields of all as columns", () => {
  const { columns, rows } = tableOfRecords([{ a: 1 }, { b: [2], a: null }]);
  assert.deepEqual(columns, ["a", "b"]);
  assert.deepEqual(rows.map((row) => row.map(cellText)), [["1", ""], ["", "[2]"]]);
});

test("names of an object's own parts are no cells of others", () => {
  const { rows } = tableOfRecords([{ toString: "x" }, { a: 1 }]);
  assert.equal(rows[1][0], undefined);
});

test("other values are no tables", () => {
  for (const value of [[], [1], [{}], {}, "a", null, [[1]], [null]]) assert.equal(tableOfRecords(value), null);
});

test("the first row of CSV names the columns", () => {
  assert.deepEqual(tableOfCsv("n,x\n1,2"), { columns: ["n", "x"], rows: [["1", "2"]] });
});

test("rows are sorted as numbers where they are, with empty cells last", () => {
  const rows = [["10"], [""], ["9"], ["-1.5"]];
  assert.deepEqual(sorted(rows, 0).flat(), ["-1.5", "9", "10", ""]);
  assert.deepEqual(sorted(rows, 0, true).flat(), ["10", "9", "-1.5", ""]);
  assert.deepEqual(sorted([["b"], ["a2"], ["a10"]], 0).flat(), ["a2", "a10", "b"]);
});
