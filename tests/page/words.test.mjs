/** Sentences and plurals in the reader's language. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { currentLanguage, t, tn, useLanguage } from "../../website_files/static/js/core/words.js";

afterEach(() => useLanguage("en", {}));

test("English needs no file", () => {
  assert.equal(t`Room for ${1234} more in ${"a room"}`, "Room for 1,234 more in a room");
  assert.equal(tn(1, "{n} line", "{n} lines"), "1 line");
  assert.equal(tn(0, "{n} line", "{n} lines"), "0 lines");
  assert.equal(currentLanguage(), "en");
});

test("a language may order the values otherwise", () => {
  useLanguage("de", { "{1} wrote to {2}": "An {2} schrieb {1}" });
  assert.equal(t`${"Ada"} wrote to ${"{1}"}`, "An {1} schrieb Ada");
});

test("each language has its own plurals", () => {
  const forms = { zero: "{n} z", one: "{n} o", two: "{n} t", few: "{n} f", many: "{n} m", other: "{n} x" };
  useLanguage("ar", { "{n} lines": forms });
  const shown = [0, 1, 2, 3, 11, 100].map((count) => tn(count, "{n} line", "{n} lines").slice(-1));
  assert.deepEqual(shown, ["z", "o", "t", "f", "m", "x"]);
});

test("a sentence that a language lacks stays English, with English plurals", () => {
  useLanguage("fr", {});
  assert.equal(t`Copy`, "Copy");
  assert.equal(tn(0, "{n} line", "{n} lines"), "0 lines");
});
