/** Values and titles formatted for people, and highlighted search words. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ago, compact, displayName, duration, highlight, hue, initial, pretty, shorten,
} from "../../website_files/static/js/core/format.js";

test("names are made readable", () => {
  assert.equal(displayName("weather_agent"), "Weather agent");
  assert.equal(displayName(""), "Agent");
  assert.equal(displayName(null), "Agent");
  assert.equal(initial("émile"), "É");
});

test("a name keeps its colour", () => {
  assert.equal(hue("forecaster"), hue("forecaster"));
  assert.notEqual(hue("planner"), hue("reviewer"));
});

test("arguments are put on one line", () => {
  assert.equal(compact('{"city": "Oslo", "days": 3}'), "city: Oslo, days: 3");
  assert.equal(compact({ where: { lat: 1 } }), 'where: {"lat":1}');
  assert.equal(compact("no json {"), "no json {");
  assert.equal(compact({}), "");
  assert.equal(compact({ text: "x".repeat(500) }).length, 90);
});

test("results are laid out when they are JSON, and left alone when not", () => {
  assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}');
  assert.equal(pretty("12 °C"), "12 °C");
  assert.equal(pretty("0012"), "0012");
  assert.equal(pretty(null), "");
});

test("times are readable", () => {
  const now = 1_000_000_000_000;

  assert.deepEqual([10, 90, 7_200, 200_000].map((seconds) => ago(now - seconds * 1000, now)), ["now", "1 min", "2 hr", "2 days"]);
  assert.deepEqual([20, 1_230, 61_000].map(duration), ["0.1s", "1.2s", "1m 1s"]);
});

test("a title is one line and ends at a word", () => {
  assert.equal(shorten("  What is\tthe weather?\nThanks"), "What is the weather?");
  assert.equal(shorten("one two three four", 12), "one two…");
  assert.equal(shorten("🌦".repeat(20), 10), `${"🌦".repeat(10)}…`);
});

const found = (text, query) => highlight(text, query).filter((piece) => piece.isFound).map((piece) => piece.text);

test("search words are marked, the last also as a prefix", () => {
  assert.deepEqual(found("Weather in Oslo, weathered", "oslo weath"), ["Weather", "Oslo", "weathered"]);
  assert.deepEqual(found("Élan and elan", "ELAN"), ["Élan", "elan"]);
  assert.deepEqual(found("anything", " "), []);
  assert.deepEqual(found("a (b) [c]", "(b) ["), ["b"]);
});

test("marks do not change the text", () => {
  for (const text of ["", "<b>Oslo</b> & Oslo", "Oslo", "🌦 Oslo!"]) {
    assert.equal(highlight(text, "oslo").map((piece) => piece.text).join(""), text);
  }
});
