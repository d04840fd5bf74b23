/** The lines of a diff, with the numbers that they have in both versions. */

import { count } from "../../core/session/usage.js";
import { t } from "../../core/words.js";
import { button, h } from "../shared/dom.js";

export const SIGNS = { added: "+", removed: "−", same: " ", gap: "", note: "" };
const PROSE = /\.(md|markdown|txt)$/i; // files whose lines are wrapped

/**
 * @param {import("../../core/contents/diff.js").Line[]} lines
 * @param {string} path of the file
 * @param {string} name for screen readers
 * @param {number} shown how many of them before "Show all"
 */
export function diffLines(lines, path, name, shown) {
  const place = h("div", { class: `diff-lines${PROSE.test(path) ? " is-prose" : ""}` });
  const fill = (limit) => {
    const rows = lines.slice(0, limit).map(row);
    const code = h("pre", { class: "diff", tabindex: 0, "aria-label": name }, h("code", {}, ...rows));
    place.replaceChildren(code, ...(lines.length > limit ? [more()] : []));
  };
  const all = () => {
    fill(Infinity);
    place.querySelector(".diff").focus({ preventScroll: true });
  };
  const more = () => button("text-button diff-more", all, t`Show all ${count(lines.length)} lines`);
  fill(shown);
  return place;
}

function row({ kind, before, after, text }) {
  return h(
    "span",
    { class: "diff-line", "data-kind": kind },
    h("span", { class: "diff-number" }, before ?? ""),
    h("span", { class: "diff-number" }, after ?? ""),
    h("span", { class: "diff-sign" }, SIGNS[kind]),
    h("span", { class: "diff-text" }, kind === "gap" ? `⋯ ${text}` : text, "\n"),
  );
}
