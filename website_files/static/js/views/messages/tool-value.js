/** The arguments and the result of a tool call: as a table, a tree, Markdown or text, to copy and to download. */

import { isCsv } from "../../core/contents/csv.js";
import { pretty } from "../../core/format.js";
import { cellText, tableOfCsv, tableOfRecords } from "../../core/contents/table-data.js";
import { t } from "../../core/words.js";
import { CopyButton } from "../shared/copy-button.js";
import { DataTable } from "../contents/data-table.js";
import { DataTree } from "../contents/data-tree.js";
import { button, h, icon, setAttribute } from "../shared/dom.js";
import { LongText } from "../contents/long-text.js";
import { saveText } from "../shared/save-text.js";
import { renderedProse } from "../prose/prose.js";

const SHORT = 2_000; // characters; JSON that is shorter is shown as text
const RENDERED = 100_000; // characters; longer Markdown is shown as text
const MARKDOWN = /^\s*#{1,6} \S[^\n]*\n\s*\n|^```[^\n]*\n[^]*?^```/m;

/** The arguments of a call: a row for each. */
export function toolArguments(given) {
  const value = parsed(given);
  if (!isNested(value) || Array.isArray(value)) return section(t`Arguments`, pretty(given) || t`None`);
  const names = Object.keys(value);
  if (names.length === 0) return section(t`Arguments`, t`None`);
  const rows = names.map((name) => h("tr", {}, h("th", { scope: "row", dir: "auto" }, name), h("td", {}, argument(value[name], name))));
  return framed(t`Arguments`, pretty(given), h("table", { class: "tool-parameters" }, h("tbody", {}, ...rows)));
}

/** The result of a call, in the form that suits it first. */
export function toolResult(result, title, name) {
  const forms = formsOf(result, title);
  const tabs = h("div", { class: "tool-forms", role: "group", "aria-label": t`Show as` });
  const place = h("div", { class: "tool-form" });
  const buttons = forms.map(({ words, build }) => {
    const tab = button("text-button", () => {
      for (const each of buttons) setAttribute(each, "aria-pressed", each === tab ? "true" : "false");
      place.replaceChildren(build());
    }, words);
    return tab;
  });
  if (forms.length > 1) tabs.append(...buttons);
  buttons[0].click();
  return framed(title, () => result, place, forms.length > 1 ? tabs : null, downloadButton(result, name));
}

/** A section with a text, as it is. */
export function section(title, text) {
  return framed(title, text, new LongText(text, title).element);
}

function framed(title, text, content, forms = null, download = null) {
  const read = typeof text === "function" ? text : () => text;
  const copy = new CopyButton(read, t`Copy ${title.toLowerCase()}`).element;
  return h("section", {}, h("header", {}, h("h2", {}, title), forms, download, copy), content);
}

function formsOf(result, title) {
  const value = parsed(result);
  const text = { words: t`Text`, build: () => new LongText(pretty(result), title).element };
  if (isNested(value)) {
    const table = tableOfRecords(value);
    const tree = { words: t`Tree`, build: () => new DataTree(value, title).element };
    const others = table ? [{ words: t`Table`, build: () => new DataTable(table, title).element }, tree] : [tree];
    return result.length < SHORT ? [text, ...others] : [...others, text];
  }
  if (isCsv(result)) return [{ words: t`Table`, build: () => new DataTable(tableOfCsv(result), title).element }, text];
  const isMarkdown = result.length < RENDERED && MARKDOWN.test(result);
  return isMarkdown ? [{ words: t`Formatted`, build: () => renderedProse(result) }, text] : [text];
}

function argument(value, name) {
  if (isNested(value)) return new DataTree(value, name).element;
  const text = cellText(value);
  return text.length > SHORT ? new LongText(text, name).element : h("span", { class: "tool-parameter", dir: "auto" }, text || "\u2013");
}

function downloadButton(result, name) {
  const save = () => {
    const extension = isNested(parsed(result)) ? "json" : isCsv(result) ? "csv" : "txt";
    saveText(result, `${name.replace(/[^\w-]+/g, "_").slice(0, 60) || "result"}.${extension}`);
  };
  return button("copy-button tool-download", save, icon("download"), h("span", {}, t`Download`));
}

function parsed(value) {
  if (typeof value !== "string") return value;
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function isNested(value) {
  return typeof value === "object" && value !== null;
}
