/** Icons and colors of agents. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { distinctHues, inkOn, looksOf, setAgents } from "../../website_files/static/js/core/appearance.js";

test("agents with the same letter get hues that differ", () => {
  const names = Array.from({ length: 9 }, (_, at) => `agent_${at}`);
  const hues = [...distinctHues(names).values()];
  for (const [at, one] of hues.entries()) {
    for (const other of hues.slice(at + 1)) {
      const degrees = Math.abs(one - other) % 360;
      assert.ok(Math.min(degrees, 360 - degrees) >= 20, `${one} ${other}`);
    }
  }
});

test("hues do not depend on the order of the list, and there are some for any number of agents", () => {
  const names = Array.from({ length: 40 }, (_, at) => `a${at}`);
  assert.deepEqual(new Map([...distinctHues(names)].sort()), new Map([...distinctHues(names.toReversed())].sort()));
  assert.equal(distinctHues(names).size, 40);
});

test("black or white can be read on any color", () => {
  assert.equal(inkOn("#ffff00"), "#000000");
  assert.equal(inkOn("#0d7263"), "#ffffff");
  assert.equal(inkOn("#000000"), "#ffffff");
  assert.equal(inkOn("#777777"), "#000000");
});

test("an agent of the server has its icon and color, anybody else the color of the name", () => {
  setAgents([{ name: "weather", icon: "cloud", color: "#1f6fb2" }, { name: "dice" }]);
  assert.deepEqual([looksOf("weather").icon, looksOf("weather").color], ["cloud", "#1f6fb2"]);
  assert.deepEqual([looksOf("dice").icon, looksOf("dice").color], [null, null]);
  assert.equal(typeof looksOf("somebody").hue, "number");
});
