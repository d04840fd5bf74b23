/** Tokens and costs of a turn, of each agent, and of the whole conversation. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_USAGE, addUsage, byAgent, tokens, totalSummary, usageSummary } from "../../website_files/static/js/core/session/usage.js";
import { asked, confirmed, ended, fold, rewound, started } from "./frames.mjs";

const spent = (usage, turn = 1) => ["turn_completed", { status: "completed", duration_ms: 1200, usage }, turn];

test("a turn's usage is shown as far as it is known", () => {
  const usage = { prompt_tokens: 1000, completion_tokens: 200, cost: 0.0042 };

  assert.deepEqual(usageSummary({ durationMs: 1200, usage }), ["1.2s", "1,000 tokens in, 200 out", "$0.0042"]);
  assert.deepEqual(usageSummary({ durationMs: 1200, usage: { cost: null } }), ["1.2s"]);
  assert.deepEqual(usageSummary({ durationMs: null, usage: null }), []);
});

test("estimated tokens are about right, and unknown ones are not none", () => {
  const usage = { prompt_tokens: 1000, completion_tokens: 200, cost: null, estimated: true };
  const agents = { coder: usage, tester: { prompt_tokens: null, completion_tokens: null, cost: null } };

  assert.deepEqual(usageSummary({ durationMs: null, usage }), ["about 1,000 tokens in, 200 out"]);
  assert.deepEqual(byAgent({ agents }).map(({ read, written, estimated }) => [tokens(read, estimated), tokens(written)]), [
    ["about 1,000", "200"], ["–", "–"],
  ]);
  assert.deepEqual(totalSummary(addUsage(addUsage(NO_USAGE, usage), agents.tester)), ["about 1,200 tokens"]);
});

test("the agent with the highest usage comes first", () => {
  const agents = {
    planner: { prompt_tokens: 10, completion_tokens: 1, cost: 0.1 },
    coder: { prompt_tokens: 5, completion_tokens: 5, cost: 0.2 },
    tester: { prompt_tokens: 1, completion_tokens: 1, cost: null },
  };

  assert.deepEqual(byAgent({ agents }).map(({ name, cost }) => [name, cost]), [["coder", 0.2], ["planner", 0.1], ["tester", null]]);
  assert.deepEqual(byAgent({}), []);
});

test("a conversation costs as much as all its turns, including rewound ones", () => {
  const usage = { prompt_tokens: 100, completion_tokens: 50, cost: 0.5 };
  const state = fold([
    confirmed(), asked(), started(), spent(usage), rewound([1], "retry"),
    asked(2, "m2"), started(2, "m2"), spent({ ...usage, cost: null }, 2),
  ]);

  assert.deepEqual(totalSummary(state.spent), ["300 tokens", "at least $0.50"]);
});

test("unknown usage is not shown", () => {
  assert.deepEqual(totalSummary(fold([confirmed(), asked(), started(), ["turn_completed", {}, 1]]).spent), []);
  assert.deepEqual(totalSummary(fold([confirmed(), asked(), started(), ended()]).spent), ["3 tokens"]);
});
