/** What the page asks the server over HTTP, and where its WebSocket is. */

const API = "/api/agent-chat";
const SESSIONS = `${API}/sessions`;
const PATIENCE = 10_000; // ms

/** @returns {Promise<{ws_port: number, model: object, default_agent: string, agents: object[], limits: object}>} */
export function fetchConfig() {
  return request("/api/config");
}

/** @param {{q?: string, before?: string, limit?: number}} query */
export function fetchSessions(query) {
  const given = Object.entries(query).filter(([, value]) => value);
  return request(`${SESSIONS}?${new URLSearchParams(given)}`);
}

export function createSession(agent) {
  return request(SESSIONS, { method: "POST", ...json(agent ? { agent } : {}) });
}

export function renameSession(id, title, name) {
  return request(sessionPath(id), { method: "PATCH", ...json({ title, ...(name && { name }) }) });
}

export function deleteSession(id) {
  return request(sessionPath(id), { method: "DELETE" });
}

export function exportAddress(id, format) {
  return `${sessionPath(id)}/export?format=${format}`;
}

/** @returns {Promise<{files: {path: string, size: number, modified: string}[]}>} */
export function fetchFiles(id) {
  return request(`${sessionPath(id)}/files`);
}

export function fileAddress(id, path) {
  return `${sessionPath(id)}/files/${encodeURIComponent(path)}`;
}

export function deleteFile(id, path, name) {
  return request(fileAddress(id, path) + as(name), { method: "DELETE" });
}

/**
 * Sends a file; how far it has got is told to `progressed`, which `fetch` could not say.
 * @returns {{done: Promise<{path: string, kind: string, size: number}>, cancel(): void}}
 */
export function uploadFile(id, path, file, name, progressed) {
  const sending = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    sending.upload.onprogress = ({ loaded }) => progressed(loaded);
    sending.onload = () => (sending.status < 300 ? resolve(sending.response) : reject(refusal(sending)));
    sending.onerror = () => reject(new Error("The connection was lost."));
    sending.onabort = () => reject(new Error("Cancelled."));
  });
  sending.open("PUT", fileAddress(id, path) + as(name));
  sending.responseType = "json";
  sending.setRequestHeader("Content-Type", "application/octet-stream");
  sending.send(file);
  return { done, cancel: () => sending.abort() };
}

/** @returns {Promise<{notes: {key: string, value: string, updated: string}[]}>} what agents noted about this person */
export function fetchMemory(name) {
  return request(`${API}/memory${as(name)}`);
}

/** Without a key, all of it. */
export function eraseMemory(name, key) {
  const path = key === undefined ? "" : `/${encodeURIComponent(key)}`;
  return request(`${API}/memory${path}${as(name)}`, { method: "DELETE" });
}

/** The stream that tells which conversations wait for a human; whoever reads it counts as there. */
export function deskAddress(name) {
  return `${API}/desk${as(name)}`;
}

export function socketAddress({ ws_port: port }, { protocol, hostname } = location) {
  return `${protocol === "https:" ? "wss:" : "ws:"}//${hostname}:${port}/`;
}

/** Which session the page's own address names, and whether to take part in it or only to read. */
export function addressed({ search } = location) {
  const query = new URLSearchParams(search);
  const role = query.get("role") === "viewer" ? "viewer" : "member";
  return { sessionId: query.get("session") || null, agent: query.get("agent") || null, role };
}

export function addressOf(sessionId, role = "member") {
  if (!sessionId) return "/";
  return `/?session=${encodeURIComponent(sessionId)}${role === "viewer" ? "&role=viewer" : ""}`;
}

/** A conversation on the operator's desk; of none, the desk alone. */
export function deskPageOf(sessionId) {
  return sessionId ? `/desk?session=${encodeURIComponent(sessionId)}` : "/desk";
}

export function invitation(sessionId, role, { origin } = location) {
  return origin + addressOf(sessionId, role);
}

function sessionPath(id) {
  return `${SESSIONS}/${encodeURIComponent(id)}`;
}

function as(name) {
  return name ? `?${new URLSearchParams({ name })}` : "";
}

function json(content) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
}

/** @throws {Error} with words of the server's, where it has some, and its `code` */
async function request(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE), ...options });
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  throw refusal({ status: answer.status, response: body });
}

function refusal({ status, response: body }) {
  const error = new Error(body?.error?.message ?? `The server answered with ${status}`);
  return Object.assign(error, { code: body?.error?.code });
}
