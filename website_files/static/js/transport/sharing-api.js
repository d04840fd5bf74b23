/** Client for the REST API that shares conversations. */

import { json, request, sessionPath } from "./rest-api.js";

/**
 * @typedef {{id: string, name: string, colour: string}} Person
 * @typedef {Person & {role: "member"|"viewer", expires: string}} Member
 * @typedef {{id: string, role: "member"|"viewer", created: string, expires: string}} Invitation
 * @typedef {{you: string, owner: Person, members: Member[], invitations: Invitation[]}} Sharing
 */

/** @returns {Promise<Sharing>} */
export function fetchSharing(id) {
  return request(`${sessionPath(id)}/members`);
}

/** Makes an invitation; 0 hours are for ever. @returns {Promise<Invitation & {link: string}>} */
export function invite(id, role, hours) {
  return request(`${sessionPath(id)}/invitations`, { method: "POST", ...json({ role, hours }) });
}

export function revoke(id, invitation) {
  return request(`${sessionPath(id)}/invitations/${encodeURIComponent(invitation)}`, { method: "DELETE" });
}

/** Puts a member out; oneself, that is leaving. */
export function putOut(id, member) {
  return request(`${sessionPath(id)}/members/${encodeURIComponent(member)}`, { method: "DELETE" });
}

/** @returns {Promise<{session_id: string, role: string}>} */
export function acceptInvitation(secret) {
  return request("./api/agent-chat/invitations", { method: "POST", ...json({ secret }) });
}
