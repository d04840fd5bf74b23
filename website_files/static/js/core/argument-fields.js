/**
 * The arguments of a tool call as fields of a form, and back.
 *
 * @typedef {"text"|"number"|"boolean"|"json"} Kind
 */

import { t } from "./words.js";

/** Lists the fields for these values; the kind of one is that of what the agent gave. @returns {{name: string, kind: Kind, text: string}[]} */
export function argumentFields(values, given = values) {
  return Object.entries(values).map(([name, value]) => {
    const kind = kindOf(value) === kindOf(given[name] ?? value) ? kindOf(value) : "json";
    return { name, kind, text: kind === "json" ? JSON.stringify(value, null, 2) : String(value) };
  });
}

/**
 * Reads what was written. The field without a name has all values.
 * @param {{name: string|null, kind: Kind, text: string, isOn?: boolean}[]} fields
 * @returns {{values: object, problem?: {name: string|null, words: string}}}
 */
export function readArguments(fields) {
  const values = {};
  for (const { name, kind, text, isOn } of fields) {
    if (kind === "text") values[name] = text;
    else if (kind === "boolean") values[name] = Boolean(isOn);
    else if (kind === "number") {
      values[name] = Number(text.trim() || NaN);
      if (!Number.isFinite(values[name])) return { values, problem: { name, words: t`${name} is a number.` } };
    } else {
      const read = parse(text);
      if (read.problem) return { values, problem: { name, words: t`This is not JSON: ${read.problem}` } };
      if (name === null) return isObject(read.value) ? { values: read.value } : { values, problem: { name, words: t`Arguments are an object: ${'{"name": value}'}.` } };
      values[name] = read.value;
    }
  }
  return { values };
}

function kindOf(value) {
  if (typeof value === "string") return "text";
  return ["number", "boolean"].includes(typeof value) ? typeof value : "json";
}

function parse(text) {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: error.message };
  }
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
