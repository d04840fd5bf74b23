/** Entries are found by a few of their letters, the likeliest first. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { bestMatches, score } from "../../website_files/static/js/core/fuzzy.js";

const find = (query, ...titles) => bestMatches(query, titles, (title) => [title]);

test("letters count where words begin, or one after the other", () => {
  assert.deepEqual(find("nc", "Once more", "New conversation", "Menu"), ["New conversation", "Once more"]);
  assert.deepEqual(find("conv", "A convoy", "Conversation", "Discovery"), ["Conversation", "A convoy"]);
  assert.equal(score("etc", "Delete the conversation"), 0);
  assert.equal(score("xyz", "New conversation"), 0);
});

test("every word has to be found, in any order, without case and accents", () => {
  assert.deepEqual(find("oslo weather", "Weather in Oslo", "Weather in Rome"), ["Weather in Oslo"]);
  assert.deepEqual(find("cafe", "Café du Nord"), ["Café du Nord"]);
  assert.deepEqual(find("CAFÉ", "cafe"), ["cafe"]);
});

test("without a query everything stays in order; alike ones do, too", () => {
  assert.deepEqual(find("  ", "b", "a"), ["b", "a"]);
  assert.deepEqual(find("trip", "Trip 2", "Trip 1"), ["Trip 2", "Trip 1"]);
});

test("a title counts more than other words", () => {
  const entries = [{ title: "Settings", words: "theme" }, { title: "Change the theme", words: "" }];
  const found = bestMatches("theme", entries, ({ title, words }) => [title, words]);
  assert.deepEqual(found.map(({ title }) => title), ["Change the theme", "Settings"]);
});
