/** What is kept in the browser: unsent messages, the list of conversations; also when nothing can be kept. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** Keys are its own properties, as in a browser; its methods are not among them. */
class FakeStorage {
  getItem(key) {
    return this[key] ?? null;
  }
  setItem(key, value) {
    this[key] = String(value);
  }
  removeItem(key) {
    delete this[key];
  }
  clear() {
    for (const key of Object.keys(this)) delete this[key];
  }
}

const stores = { localStorage: new FakeStorage(), sessionStorage: new FakeStorage() };
for (const [name, value] of Object.entries(stores)) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}
const { Storage } = await import("../../website_files/static/js/storage.js");
const outbox = await import("../../website_files/static/js/outbox.js");
const history = await import("../../website_files/static/js/history.js");

beforeEach(() => Object.values(stores).forEach((store) => store.clear()));

const message = (id, ts = "2026-11-21T05:09:42.304Z") => ({ id, text: `text of ${id}`, ts });
const ids = (messages) => messages.map((each) => each.id);

test("unsent messages come back in the order they were written, each to its session", () => {
  outbox.add("s1", message("b", "2026-11-21T05:10:00.000Z"));
  outbox.add("s1", message("a", "2026-11-21T05:09:00.000Z"));
  outbox.add("s2", message("c"));

  assert.deepEqual(ids(outbox.load("s1")), ["a", "b"]);
  assert.deepEqual(ids(outbox.load("s2")), ["c"]);
});

test("a message that arrived is not kept", () => {
  outbox.add("s1", message("a"));

  outbox.remove("s1", "a");

  assert.deepEqual(outbox.load("s1"), []);
});

test("messages follow their session when it gets its id", () => {
  outbox.add(null, message("a"));

  outbox.move(null, "s1", [message("a")]);

  assert.deepEqual(ids(outbox.load("s1")), ["a"]);
  assert.deepEqual(outbox.load(null), []);
});

test("what has no session yet belongs to this tab alone", () => {
  outbox.add(null, message("a"));

  assert.deepEqual(Object.keys(stores.localStorage), []);
});

test("the conversation spoken in last comes first, and keeps its first title", () => {
  history.touch({ id: "s1", title: "Oslo?", agent: "weather", at: 1 });
  history.touch({ id: "s2", title: "Sums", agent: "calculator", at: 2 });
  history.touch({ id: "s1", title: "And Rome?", agent: "weather", at: 3 });

  assert.deepEqual(history.entries().map(({ id, title }) => [id, title]), [["s1", "Oslo?"], ["s2", "Sums"]]);
});

test("looking at an old conversation does not make it a new one", () => {
  history.touch({ id: "s1", title: "Oslo?", agent: "weather", at: 5 });
  history.touch({ id: "s2", title: "Sums", agent: "calculator", at: 9 });
  history.touch({ id: "s1", title: "Oslo?", agent: "weather", at: 1 });

  assert.deepEqual(ids(history.entries()), ["s2", "s1"]);
  assert.equal(history.entries()[1].at, 5);
});

test("a conversation can be taken from the list", () => {
  history.touch({ id: "s1", title: "Oslo?", agent: "weather", at: 1 });

  history.forget("s1");

  assert.deepEqual(history.entries(), []);
});

test("a list that somebody edited by hand is no list", () => {
  stores.localStorage.setItem("agentchat.history", '{"oops": [');
  assert.deepEqual(history.entries(), []);

  stores.localStorage.setItem("agentchat.history", '[null, {"id": 3}, {"id": "s1"}]');
  assert.deepEqual(ids(history.entries()), ["s1"]);
});

test("where nothing may be kept, nothing breaks", () => {
  Object.defineProperty(globalThis, "forbidden", { get: () => { throw new Error("no"); }, configurable: true });
  const storage = new Storage("forbidden");

  storage.set("a", 1);
  storage.remove("a");

  assert.equal(storage.get("a", "otherwise"), "otherwise");
  assert.deepEqual(storage.keys("a"), []);
});
