/**
 * Addresses of the pages: reads the current one and builds those of other conversations. All pages lie side by side, so
 * addresses are relative to whichever is open, wherever a proxy has put them.
 */

/** Reads from the page's address which session to show, and whether to take part in it or only to watch. */
export function readPageAddress({ search } = location) {
  const query = new URLSearchParams(search);
  const role = query.get("role") === "viewer" ? "viewer" : "member";
  return { sessionId: query.get("session") || null, agent: query.get("agent") || null, role };
}

/** Chat page with this conversation open, or the first screen. */
export function chatAddress(sessionId, role = "member") {
  if (!sessionId) return "./";
  return `./?session=${encodeURIComponent(sessionId)}${role === "viewer" ? "&role=viewer" : ""}`;
}

/** Desk page with this conversation open, or none. */
export function deskPageAddress(sessionId) {
  return sessionId ? `./desk?session=${encodeURIComponent(sessionId)}` : "./desk";
}

/** Takes the secret of an invitation out of the page's address, if there is one. */
export function takeInvitation({ pathname, search, hash } = location) {
  const [, secret] = hash.match(/^#invitation=(.*)$/) ?? [];
  if (secret !== undefined) history.replaceState(null, "", pathname + search);
  return secret ?? "";
}

/** Full link to a conversation, to send to somebody else where nobody logs in. */
export function invitationLink(sessionId, role, { href } = location) {
  return new URL(chatAddress(sessionId, role), href).href;
}

/** Address of a path on this server, as the server and its agents write it, for links on this page. */
export function pathHere(path) {
  return `.${path}`;
}
