/** Client for the server's REST API, and the addresses of its files, event stream and WebSocket. */

import { backoff } from "../core/backoff.js";
import { t } from "../core/words.js";
import { newId } from "./ids.js";

const API = "./api/agent-chat"; // beside the page
const SESSIONS = `${API}/sessions`;
const TIMEOUT = 10_000; // ms
const FILE_TIMEOUT = 60_000; // ms, for a file of up to 20 MB
const TRIES = 2; // of a change that gets no answer
const WAIT = { pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }; // replaced in tests

let loginNeeded = () => {};

/** Sets what happens whenever the server answers that nobody is logged in. */
export function whenLoginIsNeeded(act) {
  loginNeeded = act;
}

/** @returns {Promise<{model: object, default_agent: string, agents: object[], limits: object}>} */
export function fetchConfig() {
  return request("./api/config");
}

/** @param {{q?: string, before?: string, limit?: number}} query */
export function fetchSessions(query) {
  const given = Object.entries(query).filter(([, value]) => value);
  return request(`${SESSIONS}?${new URLSearchParams(given)}`);
}

export function createSession(agent, wait) {
  return change(SESSIONS, { method: "POST", ...json(agent ? { agent } : {}) }, wait);
}

export function fetchSession(id) {
  return request(sessionPath(id));
}

export function renameSession(id, title, name) {
  return change(sessionPath(id), { method: "PATCH", ...json({ title, ...(name && { name }) }) });
}

/** Deletes a session, even if the page is closed meanwhile. */
export function deleteSession(id, wait) {
  return change(sessionPath(id), { method: "DELETE", keepalive: true }, wait);
}

export function exportAddress(id, format) {
  return `${sessionPath(id)}/export?format=${format}`;
}

/** @returns {Promise<{files: {path: string, size: number, modified: string}[]}>} */
export function fetchFiles(id) {
  return request(`${sessionPath(id)}/files`);
}

/** @param {string} version digest of an earlier version */
export function fileAddress(id, path, version = "") {
  return `${filePath(id, path)}${of(version)}`;
}

/** Address of a file in a frame or an image: it loads nothing and runs nothing. */
export function fileViewAddress(id, path, version = "") {
  return `${filePath(id, path)}/view${of(version)}`;
}

/** @returns {Promise<{versions: import("../app/open-file.js").Version[]}>} */
export function fetchFileVersions(id, path) {
  return request(`${filePath(id, path)}/versions`);
}

/** @returns {Promise<{diff: string}>} */
export function fetchFileDiff(id, path, old, now) {
  return request(`${filePath(id, path)}/diff?${new URLSearchParams({ old, new: now })}`);
}

/** The content of a file, or null if it has more bytes than `most`. @returns {Promise<ArrayBuffer|null>} */
export async function fetchFile(id, path, version, most) {
  const answer = await send(fileAddress(id, path, version));
  if (!answer.ok) throw await refused(answer);
  if (Number(answer.headers.get("Content-Length")) <= most) return answer.arrayBuffer();
  await answer.body.cancel();
  return null;
}

function filePath(id, path) {
  return `${sessionPath(id)}/files/${encodeURIComponent(path)}`;
}

function of(version) {
  return version ? `?${new URLSearchParams({ version })}` : "";
}

/** The bytes of an attached file, null if that version is not kept any more. @returns {Promise<Blob|null>} */
export async function fetchAttached({ sessionId, path, sha256, media_type: type }) {
  const answer = await fetch(fileAddress(sessionId, path, sha256), { signal: AbortSignal.timeout(FILE_TIMEOUT) });
  return answer.ok ? new Blob([await answer.arrayBuffer()], { type }) : null;
}

export function deleteFile(id, path, name) {
  return change(fileAddress(id, path) + as(name), { method: "DELETE" });
}

/**
 * Uploads a file; with the same `key` it counts once. Uses XMLHttpRequest, because `fetch` cannot report progress.
 * @returns {{done: Promise<{path: string, kind: string, size: number, sha256: string}>, cancel(): void}}
 */
export function uploadFile(id, path, file, name, key, progressed) {
  const sending = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    sending.upload.onprogress = ({ loaded }) => progressed(loaded);
    sending.onload = () => (sending.status < 300 ? resolve(sending.response) : reject(refusal(sending)));
    sending.onerror = () => reject(new Error(t`The server does not answer. Try again when the connection is back.`));
    sending.onabort = () => reject(new Error(t`Cancelled.`));
  });
  sending.open("PUT", fileAddress(id, path) + as(name));
  sending.responseType = "json";
  sending.setRequestHeader("Content-Type", "application/octet-stream");
  sending.setRequestHeader("Idempotency-Key", key);
  sending.send(file);
  return { done, cancel: () => sending.abort() };
}

/** Notes that agents keep about this person. @returns {Promise<{notes: {key: string, value: string, updated: string}[]}>} */
export function fetchMemory(name) {
  return request(`${API}/memory${as(name)}`);
}

export function writeNote(name, key, value) {
  const path = `${API}/memory/${encodeURIComponent(key)}`;
  return change(path, { method: "PUT", ...json({ value, ...(name && { name }) }) });
}

/** Erases one note or, without a key, all of them. */
export function eraseMemory(name, key) {
  const path = key === undefined ? "" : `/${encodeURIComponent(key)}`;
  return change(`${API}/memory${path}${as(name)}`, { method: "DELETE" });
}

/** A page that shows one image of another host. */
export function foreignImageAddress(src, alt) {
  return `${API}/foreign-image?${new URLSearchParams({ src, alt })}`;
}

/** Event stream of the conversations that need a person. Whoever reads it counts as available. */
export function deskStreamAddress(name) {
  return `${API}/desk${as(name)}`;
}

/** What admins see. @param {{days: number, audit: number, person: string, event: string}} query */
export function fetchOverview(query) {
  const given = Object.entries(query).filter(([, value]) => value);
  return request(`${API}/admin?${new URLSearchParams(given)}`);
}

/** Figures of the last hour, and usage by day. */
export function fetchStatus(days) {
  return request(`${API}/status?${new URLSearchParams({ days })}`);
}

/** Stops a turn of any session. */
export function stopAsAdmin(session, turn) {
  return change(`${API}/admin/stop`, { method: "POST", ...json({ session, turn }) });
}

/** Address of the WebSocket, beside the page; browsers of a few years ago take no relative one. */
export function socketAddress({ href } = location) {
  const address = new URL("./ws", href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

export function sessionPath(id) {
  return `${SESSIONS}/${encodeURIComponent(id)}`;
}

function as(name) {
  return name ? `?${new URLSearchParams({ name })}` : "";
}

export function json(content) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
}

/** Sends a change. It counts once, although it is sent again, with the same id, if no answer comes. */
export async function change(path, options, { pause } = WAIT) {
  const headers = { ...options.headers, "Idempotency-Key": newId() };
  for (let tries = 1; ; tries += 1) {
    try {
      return await request(path, { ...options, headers });
    } catch (error) {
      if (error.isAnswer || tries === TRIES) throw error;
    }
    await pause(backoff(tries));
  }
}

/** @throws {Error} with the server's message, if there is one, its `code`, and the seconds to wait: `retryAfter` */
export async function request(path, options = {}) {
  const answer = await send(path, options);
  if (answer.status === 204) return null;
  if (!answer.ok) throw await refused(answer);
  return answer.json().catch(() => null);
}

function send(path, options = {}) {
  return fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT), ...options }).catch(() => {
    throw new Error(t`The server does not answer. Try again when the connection is back.`);
  });
}

async function refused(answer) {
  const body = await answer.json().catch(() => null);
  return refusal({ status: answer.status, response: body }, answer.headers.get("Retry-After"));
}

function refusal({ status, response: body }, wait) {
  const error = new Error(body?.error?.message ?? t`The server answered with ${status}`);
  Object.assign(error, { code: body?.error?.code, isAnswer: true, retryAfter: Number(wait) || 0 });
  if (error.code === "login_needed") loginNeeded();
  return error;
}
