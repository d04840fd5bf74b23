/** Frames as the server sends them, written as `[type, content, turn]`; without a turn they are live only. */

import { EMPTY, reduce } from "../../website_files/static/js/core/session/session-state.js";

export const STAMP = "2026-11-21T05:09:42.304Z";

/** Numbers logged events as the server does; events of turn 0 are logged, too. */
export function fold(frames, state = EMPTY) {
  let seq = state.lastSeq;
  return frames.reduce((each, [type, content, turn]) => {
    const logged = turn !== undefined ? { seq: ++seq, ts: STAMP, turn } : {};
    return reduce(each, { type, content, ...logged });
  }, state);
}

export const confirmed = (more = {}) => [
  "connection_confirmed",
  { session_id: "s1", agent: "weather", last_seq: 0, status: "idle", recovered: true, replaced: null, ...more },
];
export const asked = (turn = 1, id = "m1", text = "Oslo?") => ["user_message", { id, text, name: "user" }, turn];
export const started = (turn = 1, id = "m1") => ["turn_started", { message_id: id, agent: "weather" }, turn];
export const stream = (offset, content, message_id = "a1") => ["stream", { message_id, sender: "forecaster", offset, content }];
export const said = (content, turn = 1, more = {}) => ["text", { content, sender: "forecaster", message_id: "a1", ...more }, turn];
export const called = (id = "c1", turn = 1) => [
  "tool_call",
  {
    sender: "forecaster", message_id: `for-${id}`, content: null,
    tool_calls: [{ id, type: "function", function: { name: "forecast", arguments: '{"city": "Oslo"}' } }],
  },
  turn,
];
export const runs = (call_id = "c1", turn = 1) => ["execute_function", { func_name: "forecast", call_id, arguments: { city: "Oslo" } }, turn];
export const ran = (content, ok = true, call_id = "c1", turn = 1) => [
  "executed_function", { func_name: "forecast", call_id, content, is_exec_success: ok }, turn,
];
export const responded = (content, tool_call_id = "c1", turn = 1) => ["tool_response", { tool_responses: [{ tool_call_id, content }] }, turn];
export const ended = (status = "completed", turn = 1) => ["turn_completed", { status, duration_ms: 1200, usage: { prompt_tokens: 3 } }, turn];
export const wants = (request_id = "q1", more = {}, turn = 1) => [
  "input_request",
  { request_id, agent: "forecaster", prompt: "Which city?", password: false, choices: null, tool: null, expires: null, ...more },
  turn,
];
export const replied = (text, more = {}, turn = 1) => ["input_response", { request_id: "q1", text, name: "Ada", ...more }, turn];
export const rewound = (turns, reason = "edit", turn = 0) => ["rewind", { to_seq: 0, turns, reason }, turn];
