/**
 * Tables made of data: CSV or an array of records.
 *
 * @typedef {{columns: string[], rows: unknown[][]}} TableData
 */

import { csvRows } from "./csv.js";

const COLUMNS = 100;
const numeric = /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i;

/**
 * Returns an array of records as a table, or null if it is something else.
 * @returns {TableData|null}
 */
export function tableOfRecords(value) {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isRecord)) return null;
  const columns = new Set();
  for (const record of value) {
    for (const name of Object.keys(record)) columns.add(name);
    if (columns.size > COLUMNS) return null;
  }
  const names = [...columns];
  if (names.length === 0) return null;
  const cellOf = (record, name) => (Object.hasOwn(record, name) ? record[name] : undefined);
  return { columns: names, rows: value.map((record) => names.map((name) => cellOf(record, name))) };
}

/**
 * Returns CSV as a table; its first row has the names of the columns.
 * @returns {TableData}
 */
export function tableOfCsv(text, separator = ",") {
  const [columns = [], ...rows] = csvRows(text, separator);
  return { columns, rows };
}

/** The text of a cell. Nested values are JSON. */
export function cellText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Returns the rows by a column, numbers by their size; empty cells come last. Equal rows keep their order. */
export function sorted(rows, column, isDescending = false) {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const keys = new Map(rows.map((row) => [row, cellText(row[column])]));
  const direction = isDescending ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    if (!a || !b) return Number(!a) - Number(!b);
    if (numeric.test(a) && numeric.test(b)) return direction * (Number(a) - Number(b));
    return direction * collator.compare(a, b);
  });
}

function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
