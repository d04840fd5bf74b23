/** The server's list of conversations: pages, searches, and answers that come too late. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConversationList } from "../../website_files/static/js/app/conversation-list.js";

const entry = (id, more = {}) => ({ id, title: `Title of ${id}`, messages: 1, ...more });
const ids = (list) => list.entries.map((each) => each.id);

/** A server whose answers the test gives when it likes. */
function server() {
  const asked = [];
  const fetchPage = (query) => new Promise((resolve, reject) => asked.push({ query, resolve, reject }));
  const answer = async (number, sessions, next = null) => {
    asked[number].resolve({ sessions: sessions.map((each) => (typeof each === "string" ? entry(each) : each)), next });
    await Promise.resolve();
  };
  return { asked, answer, list: new ConversationList(() => {}, fetchPage) };
}

test("pages follow each other, and what moved meanwhile is there once", async () => {
  const { asked, answer, list } = server();
  list.refresh();
  await answer(0, ["c", "b"], "b");
  list.more();
  await answer(1, ["b", "a"]);

  assert.deepEqual(asked[1].query, { q: "", limit: 50, before: "b" });
  assert.deepEqual(ids(list), ["c", "b", "a"]);
  assert.equal(list.next, null);
});

test("an answer to what is no longer asked is not shown", async () => {
  const { answer, list } = server();
  list.refresh();
  list.search("oslo");
  await answer(1, ["found"]);
  await answer(0, ["all"]);

  assert.deepEqual(ids(list), ["found"]);
});

test("a refresh keeps what is looked for", async () => {
  const { asked, list } = server();
  list.search(" oslo ");
  list.refresh();

  assert.equal(asked[1].query.q, "oslo");
});

test("a list that cannot be had leaves the one that is there", async () => {
  const { asked, answer, list } = server();
  list.refresh();
  await answer(0, ["a"]);
  const again = list.refresh();
  asked[1].reject(new Error("no"));
  await again;

  assert.deepEqual(ids(list), ["a"]);
  assert.equal(list.status, "failed");
});

test("conversations in which nothing was said are not listed, unless they have a title", async () => {
  const { answer, list } = server();
  list.refresh();
  await answer(0, [entry("a", { messages: 0, title: "" }), entry("b", { messages: 0 }), entry("c", { title: "" })]);

  assert.deepEqual(ids(list), ["b", "c"]);
});

test("what was renamed or deleted here is so at once", async () => {
  const { answer, list } = server();
  list.refresh();
  await answer(0, ["a", "b"]);
  list.rename("a", "New");
  list.remove("b");

  assert.deepEqual(list.entries.map((each) => each.title), ["New"]);
});
