/** What programs print: where it is shown, and how it is read as a terminal would. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { lineCount, printed } from "../../website_files/static/js/core/output.js";
import { visibleItems } from "../../website_files/static/js/core/session/turn-presentation.js";
import { asked, called, confirmed, ended, fold, ran, runs, said, started, stream } from "./frames.mjs";

const begun = [confirmed(), asked(), started()];
const items = (state) => state.turns[0].items;
const prints = (offset, content, more = {}) => [
  "stream",
  { message_id: "output-1", sender: "forecaster", offset, content, kind: "output", within: "forecaster", ...more },
];
const inCall = { call_id: "c1", tool: "forecast" };

/** The text that is shown after pieces of output. */
function shown(...pieces) {
  let offset = 0;
  const frames = pieces.map((piece) => {
    const frame = prints(offset, piece);
    offset += Array.from(piece).length;
    return frame;
  });
  return printed(items(fold([...begun, ...frames]))[0].output);
}

test("output belongs to the call that printed it, also once the call is done, and ends with the turn", () => {
  const running = fold([...begun, called(), runs(), prints(0, "Looking\n", inCall)]);
  const done = fold([ran("12 °C"), prints(8, "Late", inCall)], running);

  assert.deepEqual(items(running).map(({ kind, output }) => [kind, printed(output)]), [["tool", "Looking\n"]]);
  assert.deepEqual([printed(items(done)[0].output), items(done)[0].output.isOver], ["Looking\nLate", false]);
  assert.equal(items(fold([ended()], done))[0].output.isOver, true);
});

test("output outside calls belongs to the turn, and is neither an answer nor being written", () => {
  const state = fold([...begun, prints(0, "Working\n"), stream(0, "Sun"), prints(8, "Still\n"), said("Sunny."), ended()]);

  assert.deepEqual(items(state).map(({ kind, state, within }) => [kind, state, within]), [
    ["output", undefined, undefined], ["message", "done", undefined],
  ]);
  const kinds = (level) => visibleItems(state.turns[0], level).map((block) => block.kind);
  assert.deepEqual(kinds("tools"), ["output", "speaker", "message"]);
  assert.deepEqual(kinds("agents"), ["speaker", "message"]);
});

test("a turn that only printed has no answer", () => {
  const state = fold([...begun, prints(0, "Working\n"), ended()]);

  const [first, ...others] = visibleItems(state.turns[0], "tools");
  assert.equal(first.kind, "output");
  assert.equal(others.length, 1); // which says so
});

test("output of a call that is not known is shown with the tool's name", () => {
  const [item] = items(fold([...begun, prints(0, "Hi", inCall)]));

  assert.deepEqual([item.kind, item.tool], ["output", "forecast"]);
});

test("of calls with the same id, the one of the agent that printed has the output", () => {
  const inner = ([type, content, turn]) => [type, { ...content, sender: "expert", within: "forecaster" }, turn];
  const state = fold([...begun, called(), runs(), inner(called()), inner(runs()), prints(0, "Hi", { ...inCall, sender: "expert" })]);

  assert.deepEqual(items(state).map(({ sender, output }) => [sender, output && printed(output)]), [
    ["forecaster", null], ["expert", "Hi"],
  ]);
});

test("output that is sent again after a reconnect is not doubled", () => {
  const before = fold([...begun, prints(0, "🌦️ one\ntw")]);
  const whole = (frames) => printed(items(fold(frames, before))[0].output);

  assert.equal(whole([confirmed({ last_seq: 2 }), prints(0, "🌦️ one\ntwo\n")]), "🌦️ one\ntwo\n");
  assert.equal(whole([prints(7, "two\n")]), "🌦️ one\ntwo\n");
});

test("streams of an unknown kind are ignored", () => {
  const state = fold([...begun, prints(0, "Hi", { kind: "picture" })]);

  assert.deepEqual(items(state), []);
});

test("a line that begins anew replaces what was there, as progress bars do", () => {
  assert.equal(shown("10%\r", "20%\r"), "20%");
  assert.equal(shown("10%", "\r20", "%\r", "done\nnext"), "done\nnext");
  assert.equal(shown("\r10%\r20%\n"), "20%\n");
  assert.equal(shown("one\r\ntwo\r\n"), "one\ntwo\n");
  assert.equal(shown("one\r", "\ntwo"), "one\ntwo");
});

test("escape sequences and control characters are not shown, also if they come in pieces", () => {
  assert.equal(shown("\x1b[1;32mgreen\x1b[0m \x1b[2K\x1b(Bplain"), "green plain");
  assert.equal(shown("a\x1b", "[3", "1mb\x1b[0"), "ab");
  assert.equal(shown("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07!"), "link!");
  assert.equal(shown("|\b/\b-\tx\x00\x07\n"), "-\tx\n");
});

test("only the end of much output is kept, and all lines are counted", () => {
  const line = `${"x".repeat(99)}\n`;
  const { output } = items(fold([...begun, prints(0, line.repeat(900)), prints(90_000, "end")]))[0];

  assert.deepEqual([lineCount(output), output.isCut, printed(output).endsWith("x\nend")], [901, true, true]);
  assert.ok(printed(output).length <= 50_003);
  assert.ok(printed(output).startsWith(line));
});

test("a line without end is bounded", () => {
  const { output } = items(fold([...begun, prints(0, "x".repeat(90_000))]))[0];

  assert.equal(printed(output).length, 50_000);
});
