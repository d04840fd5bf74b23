/** Words about accounts, and whose texts a browser keeps. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { browserName, languages, leftToday, roleWords } from "../../website_files/static/js/views/account/words.js";
import { browserStores } from "./browser.mjs";

const stores = browserStores();
const { device, tab } = await import("../../website_files/static/js/transport/storage.js");
const { forgetTexts, keepTextsOf } = await import("../../website_files/static/js/transport/own-texts.js");

beforeEach(() => Object.values(stores).forEach((store) => store.clear()));

test("browsers have names", () => {
  const engine = "AppleWebKit/537.36 (KHTML, like Gecko)";
  const agents = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "Firefox on Linux",
    [`Mozilla/5.0 (Windows NT 10.0; Win64) ${engine} Chrome/126.0 Safari/537.36 Edg/126.0`]: "Edge on Windows",
    [`Mozilla/5.0 (Linux; Android 10; K) ${engine} Chrome/126.0 Mobile Safari/537.36`]: "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 Version/17.5 Mobile Safari/604": "Safari on iPhone",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/17.5 Safari/605": "Safari on Mac",
    "curl/8.7.1": "curl",
    "": "A browser",
    "<b>/1": "<b>",
  };
  for (const [agent, name] of Object.entries(agents)) assert.equal(browserName(agent), name);
  assert.equal(browserName("x".repeat(500)).length, 40);
});

test("roles are told in words", () => {
  assert.deepEqual([[], ["operator"], ["admin", "operator"]].map(roleWords), ["", "Operator", "Admin, operator"]);
});

test("what is left of the day is told where there is a limit", () => {
  const none = { turns: null, tokens: null, cost: null };
  assert.equal(leftToday({ limit: none, left: none }), "");
  assert.equal(leftToday({ limit: { ...none, turns: 5 }, left: { ...none, turns: 1 } }), "1 turn");
  const limit = { turns: 5, tokens: 90_000, cost: 2 };
  assert.equal(leftToday({ limit, left: { turns: 0, tokens: 12_345, cost: 0.5 } }), "0 turns, 12,345 tokens, $0.50");
});

test("one's own language is among those to choose from", () => {
  assert.ok(languages("").some(([code, name]) => code === "de" && name === "German"));
  assert.equal(languages("gsw").filter(([code]) => code === "gsw").length, 1);
  assert.equal(languages("de").filter(([code]) => code === "de").length, 1);
});

test("texts stay with whoever wrote them", () => {
  const write = () => {
    for (const key of ["draft.new", "desk.s1", "unsent.new.m1"]) tab.set(key, "secret");
    device.set("unsent.s1.m1", { text: "secret" });
  };
  const left = () => [tab.get("draft.new"), tab.get("desk.s1"), tab.get("unsent.new.m1"), device.get("unsent.s1.m1")];
  write();
  device.set("sidebar", false);
  keepTextsOf("u-ada"); // the first who has to log in
  keepTextsOf("u-ada");
  assert.equal(left().filter(Boolean).length, 4);

  keepTextsOf("u-bob");
  assert.deepEqual(left(), [null, null, null, null]);
  assert.equal(device.get("sidebar"), false);

  write();
  keepTextsOf("u-bob");
  assert.equal(left().filter(Boolean).length, 4);
  forgetTexts();
  assert.deepEqual(left(), [null, null, null, null]);
});
