/** What admins are shown about people and in the audit log. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { keyed, shownEvent, shownFields, shownName, shownWho } from "../../website_files/static/js/admin/words.js";

test("people are shown by their login name, others by what is known of them", () => {
  assert.equal(shownName({ id: "u-1", login: "ada", name: "Ada L." }), "ada (Ada L.)");
  assert.equal(shownName({ id: "u-1", login: "ada", name: "ada" }), "ada");
  assert.equal(shownName({ id: "u-gone", login: "", name: "" }), "u-gone");
  assert.equal(shownName({ id: "you", login: "", name: "Ann" }), "Ann");
});

test("entries are shown in words", () => {
  const approval = {
    ts: "2026-11-20T10:00:00.000Z", event: "session_handed_back", who: { id: "u-1", login: "ada" }, address: "::1",
    session: "x", was_taken: false, tool: null, roles: [], way: "",
  };
  assert.equal(shownWho(approval), "ada");
  assert.equal(shownEvent(approval), "session handed back");
  assert.equal(shownFields(approval), "session: x, was taken: no, roles: none");
  assert.equal(shownWho({ who: null, system_user: "root" }), "root (command line)");
  assert.equal(shownWho({ who: null }), "–");
});

test("items that are equal have different keys, which stay", () => {
  const first = keyed([{ a: 1 }, { a: 1 }, { a: 2 }], ({ a }) => a).map(({ key }) => key);
  assert.deepEqual(first, ["1 1", "1 2", "2 1"]);
});
