/** Unsent messages in the browser's storage, and a browser without storage. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { browserStores } from "./browser.mjs";

const stores = browserStores();
const { Storage } = await import("../../website_files/static/js/transport/storage.js");
const outbox = await import("../../website_files/static/js/transport/outbox.js");

beforeEach(() => Object.values(stores).forEach((store) => store.clear()));

const message = (id, ts = "2026-11-21T05:09:42.304Z") => ({ id, text: `text of ${id}`, ts });
const ids = (messages) => messages.map((each) => each.id);

test("unsent messages return in the order they were written, each to its session", () => {
  outbox.add("s1", message("b", "2026-11-21T05:10:00.000Z"));
  outbox.add("s1", message("a", "2026-11-21T05:09:00.000Z"));
  outbox.add("s2", message("c"));

  assert.deepEqual(ids(outbox.load("s1")), ["a", "b"]);
  assert.deepEqual(ids(outbox.load("s2")), ["c"]);
});

test("a delivered message is not kept", () => {
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

test("messages without a session belong to this tab alone", () => {
  outbox.add(null, message("a"));

  assert.deepEqual(Object.keys(stores.localStorage), []);
});

test("without storage, nothing breaks", () => {
  Object.defineProperty(globalThis, "forbidden", { get: () => { throw new Error("no"); }, configurable: true });
  const storage = new Storage("forbidden");

  storage.set("a", 1);
  storage.remove("a");

  assert.equal(storage.get("a", "otherwise"), "otherwise");
  assert.deepEqual(storage.keys("a"), []);
});

test("servers below different paths of one host keep theirs apart", async () => {
  const at = async (pathname) => {
    globalThis.location = { pathname };
    const { Storage } = await import(`../../website_files/static/js/transport/storage.js?at=${pathname}`);
    return new Storage("localStorage");
  };
  const [root, chat, desk] = [await at("/"), await at("/chat/"), await at("/chat/desk")];
  root.set("draft.new", "here");
  chat.set("draft.new", "there");

  assert.deepEqual([root.get("draft.new"), desk.get("draft.new")], ["here", "there"]);
  assert.deepEqual([root.keys("draft."), chat.keys("draft.")], [["draft.new"], ["draft.new"]]);
  assert.equal(stores.localStorage.getItem("agentchat.draft.new"), '"here"');
});
