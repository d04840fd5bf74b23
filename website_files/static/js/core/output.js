/**
 * What programs print while a turn runs: output of a tool call or of the turn itself, as a terminal would show it.
 * It is live only, so it is gone after a reload.
 *
 * @typedef {{key: string, text: string, line: string, lines: number, length: number, isCut: boolean, isOver: boolean}} Output
 *   `text` holds complete lines, `line` the last one as it was printed, because more may follow. `lines` counts all
 *   lines, `length` all code points, also those that are no longer kept.
 */

import { callThatPrinted } from "./session/tool-calls.js";
import { codePoints, putItem } from "./session/turns.js";

const KEPT = 50_000; // characters

const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])/g;
const BEGUN_ESCAPE = /\x1b(?:\[[0-?]*)?[ -/]*$/;
const ERASED = /[^\x08]\x08/g;
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

/** Adds a piece of output to the tool call that printed it or, if there is none, to the turn. */
export function onOutput(turn, content) {
  const { message_id: key, call_id: callId, tool = "", sender } = content;
  const call = callId && callThatPrinted(turn, { callId, name: tool, sender });
  if (call) return putItem(turn, { ...call, output: added(call.output, content) });
  const known = turn.items.find((item) => item.key === key);
  return putItem(turn, { kind: "output", key, tool, output: added(known?.output, content) });
}

/** The output as text. */
export function printed({ text, line }) {
  return text + overwritten(plain(line));
}

/** The number of lines, including one that is not complete. */
export function lineCount({ lines, line }) {
  return lines + (overwritten(plain(line)) ? 1 : 0);
}

function added(before, { message_id: key, offset = 0, content = "" }) {
  const known = before?.key === key && offset > 0 ? before : nothing(key);
  const isKnown = offset < known.length; // sent again after a reconnect
  const piece = isKnown ? Array.from(content).slice(known.length - offset).join("") : content;
  const raw = known.line + piece;
  const end = raw.lastIndexOf("\n") + 1;
  const complete = raw.slice(0, end);
  const text = known.text + complete.split("\n").map((line) => overwritten(plain(line))).join("\n");
  return {
    ...known,
    text: newest(text),
    line: unfinished(raw.slice(end)),
    lines: known.lines + complete.split("\n").length - 1,
    length: Math.max(known.length, offset + codePoints(content)),
    isCut: known.isCut || text.length > KEPT,
  };
}

function nothing(key) {
  return { key, text: "", line: "", lines: 0, length: 0, isCut: false, isOver: false };
}

/** The end of a text that is too long, from the beginning of a line if there is one. */
function newest(text) {
  if (text.length <= KEPT) return text;
  const end = text.slice(-KEPT);
  return end.slice(end.indexOf("\n") + 1);
}

/** A line without colors, movements of the cursor and other controls. */
function plain(line) {
  return line.replace(ESCAPES, "").replace(BEGUN_ESCAPE, "").replace(ERASED, "").replace(CONTROLS, "");
}

/** What is left of a line that was begun anew, as progress bars do. */
function overwritten(line) {
  const end = line.replace(/\r+$/, "");
  return end.slice(end.lastIndexOf("\r") + 1);
}

/** An incomplete line without what is overwritten already. */
function unfinished(line) {
  const end = line.replace(/\r+$/, "").length; // a return alone overwrites nothing yet
  return line.slice(line.lastIndexOf("\r", end - 1) + 1).slice(-KEPT);
}
