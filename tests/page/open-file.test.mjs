import assert from "node:assert/strict";
import test from "node:test";

import { OpenFile } from "../../website_files/static/js/app/open-file.js";
import { asCode, kindOf, suffixOf, textOf } from "../../website_files/static/js/core/file-kinds.js";

const entry = (version, more = {}) => ({ version, kind: "modified", size: 1, ts: version, by: "Ann", turn: 0, is_kept: true, ...more });

/** A file with these versions, whose requests are noted; contents are the names of the versions. */
function opened(versions) {
  const asked = [];
  const bytes = (text) => new TextEncoder().encode(text).buffer;
  const file = new OpenFile(() => {}, {
    versions: async () => ({ versions }),
    content: async (id, path, version) => (asked.push(version), bytes(version || "now")),
    diff: async (id, path, old, now) => ({ diff: `${old} ${now}` }),
  });
  return { file, asked, versions };
}

test("the current version is followed, and one that was chosen stays", async () => {
  const { file, versions } = opened([entry("b"), entry("a")]);
  await file.open("s", "notes.md");
  assert.equal(file.content.text, "b");
  versions.unshift(entry("c"));
  await file.refresh();
  assert.equal(file.content.text, "c");
  await file.choose("a");
  versions.unshift(entry("d"));
  await file.refresh();
  assert.equal(file.content.text, "a");
});

test("an unchanged version is not loaded again", async () => {
  const { file, asked } = opened([entry("a")]);
  await file.open("s", "notes.md");
  await file.refresh();
  assert.deepEqual(asked, ["a"]);
});

test("what a program has changed, which no event told, is the current file", async () => {
  const { file } = opened([entry("b", { is_kept: false }), entry("a")]);
  await file.open("s", "notes.md");
  assert.equal(file.content.text, "now");
  assert.deepEqual(file.forms, ["shown", "source"]);
});

test("the forms are those for which there are two versions", async () => {
  const { file } = opened([entry("b"), entry("a")]);
  await file.open("s", "notes.txt");
  assert.deepEqual(file.forms, ["shown", "before"]);
  await file.show("before");
  assert.equal(file.content.diff, "a b");
  await file.choose("a");
  assert.deepEqual([file.form, file.forms], ["shown", ["shown", "now"]]);
  await file.show("now");
  assert.equal(file.content.diff, "a ");
});

test("a deleted file shows the last version that it had", async () => {
  const { file } = opened([entry("", { kind: "deleted", is_kept: false }), entry("a")]);
  await file.open("s", "notes.txt");
  assert.deepEqual([file.isDeleted, file.content.text], [true, "a"]);
});

test("a file that came back is followed again", async () => {
  const { file, versions } = opened([entry("", { kind: "deleted", is_kept: false }), entry("a")]);
  await file.open("s", "notes.txt");
  versions.unshift(entry("b"));
  await file.refresh();
  assert.deepEqual([file.isDeleted, file.content.text], [false, "b"]);
});

test("an answer that comes too late is not shown", async () => {
  const answers = [];
  const file = new OpenFile(() => {}, { versions: () => new Promise((resolve) => answers.push(resolve)), content: async () => null });
  const first = file.open("s", "a.txt");
  const second = file.open("s", "b.txt");
  answers[1]({ versions: [entry("b")] });
  await second;
  answers[0]({ versions: [entry("a")] });
  await first;
  assert.deepEqual([file.path, file.versions[0].version], ["b.txt", "b"]);
});

test("a name tells the kind", () => {
  const kinds = { "a/B.MD": "markdown", "a.svg": "picture", "a.html": "page", "a.pdf": "pdf", "a.csv": "data", "a.py": "text", html: "text" };
  for (const [path, kind] of Object.entries(kinds)) assert.equal(kindOf(path), kind, path);
  assert.deepEqual([".env", "a.b/c", "a.tar.GZ"].map(suffixOf), ["", "", "gz"]);
});

test("code keeps its own fences, and only text is text", () => {
  assert.equal(asCode("a\n````\nb\n", "x.md"), "`````md\na\n````\nb\n`````\n");
  assert.equal(textOf(new Uint8Array([0xff]).buffer), null);
  assert.equal(textOf(new Uint8Array([65, 0]).buffer), null);
});
