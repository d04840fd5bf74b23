/** What the page asks the server over HTTP, and where its WebSocket is. */

/** @returns {Promise<{ws_port: number, model: object, default_agent: string, agents: object[], limits: object}>} */
export async function fetchConfig() {
  const answer = await fetch("/api/config", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`The server answered with ${answer.status}`);
  return answer.json();
}

export function socketAddress({ ws_port: port }, { protocol, hostname } = location) {
  return `${protocol === "https:" ? "wss:" : "ws:"}//${hostname}:${port}/`;
}

/** Which session the page's own address names. */
export function addressed({ search } = location) {
  const query = new URLSearchParams(search);
  return { sessionId: query.get("session") || null, agent: query.get("agent") || null };
}

export function addressOf(sessionId) {
  return sessionId ? `/?session=${encodeURIComponent(sessionId)}` : "/";
}
