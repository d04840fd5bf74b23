/** The keys of the page: their table is the documentation's, and what is pressed finds its action. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { KEYS, keyAction, placeWords } from "../../website_files/static/js/core/keys.js";

const pressed = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test("the documentation lists every key, and no others", () => {
  const page = readFileSync(new URL("../../docs/page.md", import.meta.url), "utf8");
  const documented = page.split("\n## Keys\n")[1].split("\n").filter((line) => line.startsWith("| `"));
  const lower = (words) => words[0].toLowerCase() + words.slice(1);
  const rows = KEYS.map(({ keys, place, words }) =>
    `| ${keys.map((key) => `\`${key}\``).join(", ")} | ${lower(placeWords(place))} | ${words()} |`);
  assert.deepEqual(documented, rows);
});

test("a key acts only in its place", () => {
  assert.equal(keyAction(pressed("k", { ctrlKey: true }), ["anywhere"]), "palette");
  assert.equal(keyAction(pressed("K", { metaKey: true }), ["anywhere"]), "palette");
  assert.equal(keyAction(pressed("k"), ["anywhere", "outside"]), null);
  assert.equal(keyAction(pressed("k", { ctrlKey: true, altKey: true }), ["anywhere"]), null);
  assert.equal(keyAction(pressed("?", { shiftKey: true }), ["anywhere", "outside"]), "help");
  assert.equal(keyAction(pressed("?", { shiftKey: true }), ["anywhere"]), null);
  assert.equal(keyAction(pressed("Enter", { shiftKey: true }), ["field"]), "line");
  assert.equal(keyAction(pressed("ArrowUp"), ["field"]), null);
  assert.equal(keyAction(pressed("ArrowUp"), ["field", "empty"]), "edit last");
});
