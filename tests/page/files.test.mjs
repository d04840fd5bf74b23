/** Files: the server's current list, and uploads in progress. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { FileList } from "../../website_files/static/js/app/files.js";
import { MAX_BYTES, UploadQueue } from "../../website_files/static/js/app/files.js";

const file = (path, size = 1) => ({ path, size, modified: "2026-11-21T05:09:42.304Z" });
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Requests waiting for the test to answer them. */
function server() {
  const asked = [];
  const fetch = (id) =>
    new Promise((resolve, reject) => asked.push({ id, answer: (...files) => resolve({ files }), reject }));
  return { asked, fetch };
}

test("many changes while the list is loading cause one more request", async () => {
  const { asked, fetch } = server();
  const files = new FileList(() => {}, fetch);
  files.open("s1");
  for (let i = 0; i < 20; i += 1) files.refresh();
  asked[0].answer(file("a"));
  await settled();
  assert.equal(asked.length, 2);

  asked[1].answer(file("a"), file("b"));
  await settled();
  assert.deepEqual(files.entries.map(({ path }) => path), ["a", "b"]);
  assert.equal(asked.length, 2);
});

test("the list of a previous conversation is not shown", async () => {
  const { asked, fetch } = server();
  const files = new FileList(() => {}, fetch);
  files.open("s1");
  files.open("s2");
  asked[0].answer(file("of s1"));
  await settled();
  assert.deepEqual([files.entries, asked[1].id], [[], "s2"]);

  asked[1].answer(file("of s2"));
  await settled();
  assert.deepEqual(files.entries.map(({ path }) => path), ["of s2"]);
});

test("a list that cannot be loaded says why, and keeps the known files", async () => {
  const { asked, fetch } = server();
  const files = new FileList(() => {}, fetch);
  files.open("s1");
  asked[0].answer(file("a"));
  await settled();
  files.refresh();
  asked[1].reject(new Error("Not now."));
  await settled();

  assert.deepEqual([files.entries.length, files.problem], [1, "Not now."]);
});

/** A server that accepts files when the test says so. */
function uploading() {
  const sent = [];
  const uploads = new UploadQueue(() => {}, ({ name }, progressed) => {
    const done = new Promise((resolve, reject) => sent.push({ name, progressed, take: resolve, refuse: reject }));
    return { done, cancel: () => sent.at(-1).refuse(new Error("Cancelled.")) };
  });
  return { sent, uploads };
}
const given = (...names) => names.map((name) => ({ name, file: { size: 10 } }));
const states = ({ entries }) => entries.map(({ state, note }) => [state, note]);

test("files are uploaded one by one, and a refused one does not hold up the next", async () => {
  const { sent, uploads } = uploading();
  uploads.add("s1", given("a", "b"));
  assert.deepEqual(states(uploads), [["running", ""], ["waiting", ""]]);
  sent[0].progressed(4);
  assert.equal(uploads.entries[0].sent, 4);
  sent[0].refuse(new Error("No such name."));
  await settled();
  sent[1].take({ kind: "modified" });
  await settled();

  assert.deepEqual(states(uploads), [["failed", "No such name."], ["done", "Replaced"]]);
});

test("a file that is too large is never sent", () => {
  const { sent, uploads } = uploading();
  uploads.add("s1", [{ name: "a", file: { size: MAX_BYTES + 1 } }]);

  assert.deepEqual([sent.length, uploads.entries[0].state], [0, "failed"]);
  assert.match(uploads.entries[0].note, /Too large/);
});

test("dismissing an upload cancels it and starts the next", async () => {
  const { sent, uploads } = uploading();
  uploads.add("s1", given("a", "b"));
  uploads.dismiss(uploads.entries[0].key);
  await settled();

  assert.deepEqual(sent.map(({ name }) => name), ["a", "b"]);
  assert.deepEqual(states(uploads), [["running", ""]]);
});

test("an upload that failed can be tried again, with the same id", async () => {
  const sent = [];
  const send = ({ id, name }) => {
    sent.push([id, name]);
    const done = sent.length === 1 ? Promise.reject(new Error("Not now.")) : Promise.resolve({ kind: "created" });
    return { done, cancel() {} };
  };
  const uploads = new UploadQueue(() => {}, send);
  uploads.add("s1", [{ file: { size: 1 }, name: "a.txt" }, { file: { size: MAX_BYTES + 1 }, name: "large" }]);
  await settled();
  assert.deepEqual(uploads.entries.map(({ state, canRetry }) => [state, canRetry]), [["failed", true], ["failed", false]]);

  uploads.again(uploads.entries[0].key);
  await settled();
  assert.deepEqual([uploads.entries[0].state, uploads.entries[0].note], ["done", ""]);
  assert.equal(sent[0][0], sent[1][0]);
});
