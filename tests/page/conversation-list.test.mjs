/** The server's list of conversations: pages, searches, and answers that come too late. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { highlight } from "../../website_files/static/js/core/format.js";
import { ConversationList } from "../../website_files/static/js/app/conversation-list.js";

const entry = (id, more = {}) => ({ id, title: `Title of ${id}`, messages: 1, ...more });
const ids = (past) => past.entries.map((each) => each.id);

/** A server whose answers the test gives when it likes. */
function server() {
  const asked = [];
  const fetchPage = (query) => new Promise((resolve, reject) => asked.push({ query, resolve, reject }));
  const answer = async (number, sessions, next = null) => {
    asked[number].resolve({ sessions: sessions.map((each) => (typeof each === "string" ? entry(each) : each)), next });
    await Promise.resolve();
  };
  return { asked, answer, past: new ConversationList(() => {}, fetchPage) };
}

test("pages follow each other, and what moved meanwhile is there once", async () => {
  const { asked, answer, past } = server();
  past.refresh();
  await answer(0, ["c", "b"], "b");
  past.more();
  await answer(1, ["b", "a"]);

  assert.deepEqual(asked[1].query, { q: "", limit: 50, before: "b" });
  assert.deepEqual(ids(past), ["c", "b", "a"]);
  assert.equal(past.next, null);
});

test("an answer to what is no longer asked is not shown", async () => {
  const { answer, past } = server();
  past.refresh();
  past.search("oslo");
  await answer(1, ["found"]);
  await answer(0, ["all"]);

  assert.deepEqual(ids(past), ["found"]);
});

test("a refresh keeps what is looked for", async () => {
  const { asked, past } = server();
  past.search(" oslo ");
  past.refresh();

  assert.equal(asked[1].query.q, "oslo");
});

test("a list that cannot be had leaves the one that is there", async () => {
  const { asked, answer, past } = server();
  past.refresh();
  await answer(0, ["a"]);
  const again = past.refresh();
  asked[1].reject(new Error("no"));
  await again;

  assert.deepEqual(ids(past), ["a"]);
  assert.equal(past.status, "failed");
});

test("conversations in which nothing was said are not listed, unless they have a title", async () => {
  const { answer, past } = server();
  past.refresh();
  await answer(0, [entry("a", { messages: 0, title: "" }), entry("b", { messages: 0 }), entry("c", { title: "" })]);

  assert.deepEqual(ids(past), ["b", "c"]);
});

test("what was renamed or deleted here is so at once", async () => {
  const { answer, past } = server();
  past.refresh();
  await answer(0, ["a", "b"]);
  past.rename("a", "New");
  past.remove("b");

  assert.deepEqual(past.entries.map((each) => each.title), ["New"]);
});

const found = (text, query) => highlight(text, query).filter((piece) => piece.isFound).map((piece) => piece.text);

test("the words that were looked for are marked, the last also as a beginning", () => {
  assert.deepEqual(found("Weather in Oslo, weathered", "oslo weath"), ["Weather", "Oslo", "weathered"]);
  assert.deepEqual(found("Élan and elan", "ELAN"), ["Élan", "elan"]);
  assert.deepEqual(found("anything", " "), []);
  assert.deepEqual(found("a (b) [c]", "(b) ["), ["b"]);
});

test("marks leave the text as it is", () => {
  for (const text of ["", "<b>Oslo</b> & Oslo", "Oslo", "🌦 Oslo!"]) {
    assert.equal(highlight(text, "oslo").map((piece) => piece.text).join(""), text);
  }
});
