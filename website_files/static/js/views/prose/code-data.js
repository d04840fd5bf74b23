/** Data in an answer: JSON as a tree, comma-separated values as a table. */

import { isCsv } from "../../core/contents/csv.js";
import { tableOfCsv } from "../../core/contents/table-data.js";
import { t } from "../../core/words.js";
import { DataTable } from "../contents/data-table.js";
import { DataTree } from "../contents/data-tree.js";

const VIEWS = { json, csv: (text) => table(text, ","), tsv: (text) => table(text, "\t") };

/** An element that shows data in a language, or null if it is none that can be read. */
export function dataView(text, language) {
  return Object.hasOwn(VIEWS, language) ? VIEWS[language](text) : null;
}

function json(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? new DataTree(value, t`Data`).element : null;
  } catch {
    return null; // people and models write what only looks like JSON
  }
}

function table(text, separator) {
  return separator === "," && !isCsv(text) ? null : new DataTable(tableOfCsv(text, separator), t`Data`).element;
}
