/** Reads comma-separated values (RFC 4180): quoted fields, doubled quotes, line breaks within quotes. All fields are text. */

/**
 * Returns the rows of a text. Quotes that are never closed reach to the end.
 * @returns {string[][]}
 */
export function csvRows(text, separator = ",") {
  const rows = [];
  let row = [];
  let at = text.startsWith("\ufeff") ? 1 : 0;
  while (at < text.length) {
    const { field, end } = text[at] === '"' ? quoted(text, at + 1) : { field: "", end: at };
    const rest = plainEnd(text, end, separator);
    row.push(field + text.slice(end, rest));
    at = rest;
    if (text[at] === separator) {
      at += 1;
      if (at === text.length) row.push("");
      else continue;
    }
    at += text.startsWith("\r\n", at) ? 2 : 1;
    rows.push(row);
    row = [];
    if (at >= text.length) return rows;
  }
  if (row.length) rows.push(row);
  return rows;
}

/** Returns whether a text looks like a table: a header and rows of as many fields, at least two of each. */
export function isCsv(text) {
  const rows = csvRows(text.slice(0, 4096).split(/\r?\n/).slice(0, 6).join("\n"));
  const whole = text.length > 4096 ? rows.slice(0, -1) : rows;
  return whole.length > 1 && whole[0].length > 1 && whole.every((row) => row.length === whole[0].length) && isHeader(whole[0]);
}

function isHeader(names) {
  return new Set(names).size === names.length && names.every((name) => name.trim() && name.length <= 60 && !/[.!?:;](\s|$)/.test(name));
}

function quoted(text, start) {
  let field = "";
  let at = start;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return { field: field + text.slice(at), end: text.length };
    field += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { field, end: quote + 1 };
    field += '"';
    at = quote + 2;
  }
}

function plainEnd(text, start, separator) {
  let at = start;
  while (at < text.length && text[at] !== separator && text[at] !== "\n" && text[at] !== "\r") at += 1;
  return at;
}
