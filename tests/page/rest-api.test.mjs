/** Changes over REST: each has an id of its own, which it keeps when it is sent again. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import * as api from "../../website_files/static/js/transport/rest-api.js";

const PATIENT = { pause: () => Promise.resolve() };

let asked; // of each request its method and key
let answers; // to the next requests; a function throws

beforeEach(() => {
  asked = [];
  answers = [];
  globalThis.fetch = async (path, { method = "GET", headers = {} }) => {
    asked.push({ method, key: headers["Idempotency-Key"] });
    const [status, body] = answers.shift() ?? [204];
    if (!status) throw new TypeError("Failed to fetch");
    return { ok: status < 300, status, headers: new Headers({ "Retry-After": "7" }), json: async () => body };
  };
});

const refused = (code) => [503, { error: { code, message: "Not now." } }];

test("every change has an id of its own", async () => {
  await api.createSession("weather");
  await api.renameSession("s1", "Title", "Ada");
  await api.deleteSession("s1");
  await api.deleteFile("s1", "a.txt", "Ada");
  await api.eraseMemory("Ada", "city");
  await api.fetchSessions({});

  assert.deepEqual(asked.map(({ method }) => method), ["POST", "PATCH", "DELETE", "DELETE", "DELETE", "GET"]);
  const keys = asked.map(({ key }) => key);
  assert.equal(new Set(keys.slice(0, 5)).size, 5);
  assert.ok(keys.slice(0, 5).every((key) => key.length >= 32));
  assert.equal(keys[5], undefined);
});

test("a change whose answer is lost is sent again with the same id", async () => {
  answers = [[0], [201, { id: "s1" }]];
  assert.deepEqual(await api.createSession("weather", PATIENT), { id: "s1" });
  assert.equal(asked.length, 2);
  assert.equal(asked[0].key, asked[1].key);
});

test("a change that stays without an answer fails in words", async () => {
  answers = [[0], [0], [0], [0]];
  await assert.rejects(() => api.deleteSession("s1", PATIENT), /The server does not answer\. Try again/);
  assert.equal(new Set(asked.map(({ key }) => key)).size, 1);
});

test("a change that was refused is not sent again by itself", async () => {
  answers = [refused("store_locked")];
  await assert.rejects(() => api.deleteSession("s1", PATIENT), { code: "store_locked", message: "Not now." });
  assert.equal(asked.length, 1);
});

test("a refusal says how long to wait", async () => {
  answers = [[429, { error: { code: "too_many_attempts", message: "Wait." } }]];
  await assert.rejects(() => api.fetchConfig(), { code: "too_many_attempts", retryAfter: 7 });
});

test("the answer that nobody is logged in is told, and no other", async () => {
  let times = 0;
  api.whenLoginIsNeeded(() => (times += 1));
  for (const [status, code] of [[401, "login_refused"], [403, "access_ended"], [404, "session_unknown"]]) {
    answers = [[status, { error: { code, message: "No." } }]];
    await assert.rejects(() => api.fetchConfig(), { code });
  }
  assert.equal(times, 0);

  answers = [[401, { error: { code: "login_needed", message: "Log in." } }], [0]];
  await assert.rejects(() => api.fetchConfig(), { code: "login_needed" });
  assert.equal(times, 1);
  await assert.rejects(() => api.fetchConfig(), /does not answer/);
  assert.equal(times, 1);
});
