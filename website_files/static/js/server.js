/** What the page asks the server over HTTP, and where its WebSocket is. */

const SESSIONS = "/api/agent-chat/sessions";
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

export function renameSession(id, title, name) {
  const body = JSON.stringify({ title, ...(name && { name }) });
  return request(sessionPath(id), { method: "PATCH", headers: { "Content-Type": "application/json" }, body });
}

export function deleteSession(id) {
  return request(sessionPath(id), { method: "DELETE" });
}

export function exportAddress(id, format) {
  return `${sessionPath(id)}/export?format=${format}`;
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

export function invitation(sessionId, role, { origin } = location) {
  return origin + addressOf(sessionId, role);
}

function sessionPath(id) {
  return `${SESSIONS}/${encodeURIComponent(id)}`;
}

/** @throws {Error} with words of the server's, where it has some, and its `code` */
async function request(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE), ...options });
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  const error = new Error(body?.error?.message ?? `The server answered with ${answer.status}`);
  throw Object.assign(error, { code: body?.error?.code });
}
