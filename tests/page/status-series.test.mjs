import assert from "node:assert/strict";
import { test } from "node:test";

import { byDay, linePath, placeAt, roundUp, shown } from "../../website_files/static/js/status/series.js";

test("axes end at round numbers", () => {
  assert.deepEqual([0, 1, 1.1, 3, 7, 42, 500, 0.03].map((value) => roundUp(value)), [1, 1, 2, 5, 10, 50, 500, 0.05]);
  assert.equal(roundUp(130 * 2 ** 20, "bytes"), 200 * 2 ** 20);
});

test("a line ends at the right, and stops where there is nothing", () => {
  const size = { width: 100, height: 10, room: 5 };
  assert.equal(linePath([0, 10], 10, size), "M75 10L100 0");
  assert.equal(linePath([5, null, 20], 10, size), "M50 5h0.01M100 0h0.01");
  assert.equal(linePath([], 10, size), "");
});

test("the pointer finds the nearest value", () => {
  assert.equal(placeAt(1, 2, 5), 1);
  assert.equal(placeAt(0.8, 2, 5), 0);
  assert.equal(placeAt(0.2, 2, 5), null);
});

test("usage by day has all days, and puts what is little together", () => {
  const used = (day, agent, turns) => ({ day, agent, turns, tokens: 10 * turns, cost: 0 });
  const usage = [used("2026-02-28", "a", 1), used("2026-03-01", "b", 5), used("2026-03-01", "c", 2), used("2026-02-27", "a", 9)];
  const { days, agents } = byDay(usage, "turns", "2026-02-28", "2026-03-02", 1);
  assert.deepEqual(days, ["2026-02-28", "2026-03-01", "2026-03-02"]);
  assert.deepEqual(agents, [
    { name: "b", total: 5, values: [0, 5, 0] },
    { name: "others", total: 3, values: [1, 2, 0] },
  ]);
  assert.equal(byDay(usage, "tokens", "2026-02-28", "2026-03-02").agents[0].total, 50);
});

test("numbers have units, and none is a dash", () => {
  assert.deepEqual(
    [shown(0.0042, "seconds"), shown(2.34, "seconds"), shown(3 * 2 ** 20, "bytes"), shown(0, "dollars"), shown(null, "number")],
    ["4.2 ms", "2.3 s", "3 MiB", "$0", "–"],
  );
});
