/** The server's list of conversations: pages, searches, and late responses. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConversationList } from "../../website_files/static/js/app/conversation-list.js";

const entry = (id, more = {}) => ({ id, title: `Title of ${id}`, messages: 1, ...more });
const ids = (list) => list.entries.map((each) => each.id);

/** A server that responds when the test says so. */
function server() {
  const asked = [];
  const fetchPage = (query) => new Promise((resolve, reject) => asked.push({ query, resolve, reject }));
  const answer = async (number, sessions, next = null) => {
    asked[number].resolve({ sessions: sessions.map((each) => (typeof each === "string" ? entry(each) : each)), next });
    await Promise.resolve();
  };
  return { asked, answer, list: new ConversationList(() => {}, fetchPage) };
}

test("pages follow each other, and conversations that moved in between are listed once", async () => {
  const { asked, answer, list } = server();
  list.refresh();
  await answer(0, ["c", "b"], "b");
  list.more();
  await answer(1, ["b", "a"]);

  assert.deepEqual(asked[1].query, { q: "", limit: 50, before: "b" });
  assert.deepEqual(ids(list), ["c", "b", "a"]);
  assert.equal(list.next, null);
});

test("a refresh keeps all pages that are shown, however many, and asks for them in pages of the server", async () => {
  const all = Array.from({ length: 545 }, (_, at) => (at % 5 ? entry(`s${at}`) : entry(`s${at}`, { messages: 0, title: "" })));
  const limits = [];
  const fetchPage = async ({ before, limit }) => {
    limits.push(limit);
    const start = before ? Number(before) : 0;
    const end = start + Math.min(limit, 200);
    return { sessions: all.slice(start, end), next: end < all.length ? String(end) : null };
  };
  const list = new ConversationList(() => {}, fetchPage);
  await list.refresh();
  while (list.next) await list.more();
  const before = ids(list);
  limits.length = 0;
  await list.refresh();

  assert.equal(before.length, 436);
  assert.deepEqual(ids(list), before);
  assert.deepEqual(limits, [200, 200, 145]);
});

test("the response to an outdated query is not shown", async () => {
  const { answer, list } = server();
  list.refresh();
  list.search("oslo");
  await answer(1, ["found"]);
  await answer(0, ["all"]);

  assert.deepEqual(ids(list), ["found"]);
});

test("a refresh keeps the search", async () => {
  const { asked, list } = server();
  list.search(" oslo ");
  list.refresh();

  assert.equal(asked[1].query.q, "oslo");
});

test("if the list cannot be loaded, the old one stays", async () => {
  const { asked, answer, list } = server();
  list.refresh();
  await answer(0, ["a"]);
  const again = list.refresh();
  asked[1].reject(new Error("no"));
  await again;

  assert.deepEqual(ids(list), ["a"]);
  assert.equal(list.status, "failed");
});

test("empty conversations are not listed unless they have a title", async () => {
  const { answer, list } = server();
  list.refresh();
  await answer(0, [entry("a", { messages: 0, title: "" }), entry("b", { messages: 0 }), entry("c", { title: "" })]);

  assert.deepEqual(ids(list), ["b", "c"]);
});

test("renaming and deleting here take effect at once", async () => {
  const { answer, list } = server();
  list.refresh();
  await answer(0, ["a", "b"]);
  list.rename("a", "New");
  list.remove("b");

  assert.deepEqual(list.entries.map((each) => each.title), ["New"]);
});
