/** Comma-separated values, as RFC 4180 says. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { csvRows, isCsv } from "../../website_files/static/js/core/contents/csv.js";

test("rows end with either line break, and the last one needs none", () => {
  assert.deepEqual(csvRows("a,b\r\nc,d\r\n"), [["a", "b"], ["c", "d"]]);
  assert.deepEqual(csvRows("a,b\nc,d"), [["a", "b"], ["c", "d"]]);
  assert.deepEqual(csvRows(""), []);
});

test("quotes keep separators, line breaks and doubled quotes", () => {
  assert.deepEqual(csvRows('"a,1","b\r\n2","say ""hi"""\n,'), [["a,1", "b\r\n2", 'say "hi"'], ["", ""]]);
  assert.deepEqual(csvRows('"never closed,\nx'), [["never closed,\nx"]]);
  assert.deepEqual(csvRows('a "b" c,""'), [['a "b" c', ""]]);
});

test("fields stay text, formulas too", () => {
  assert.deepEqual(csvRows("\ufeff007,=1+1\n 1 , "), [["007", "=1+1"], [" 1 ", " "]]);
  assert.deepEqual(csvRows("a;b", ";"), [["a", "b"]]);
});

test("a table is known by a header and rows of its length", () => {
  assert.equal(isCsv("name,age\nEva,4\nTom,5\n"), true);
  assert.equal(isCsv("Hello, you.\nIt rains, and how"), false);
  assert.equal(isCsv("one line, only"), false);
  assert.equal(isCsv("a,b\nc"), false);
});
