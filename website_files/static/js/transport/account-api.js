/** Client for the REST API of logins and of the person's own account. */

import { change, json, request } from "./rest-api.js";

const API = "./api/agent-chat"; // beside the page
const ME = `${API}/me`;
const DELETION = 300_000; // ms that it may take to delete everything

export const EXPORT_ADDRESS = `${ME}/export`;

/**
 * @typedef {{turns: number|null, tokens: number|null, cost: number|null}} Amounts
 * @typedef {{id: string, login: string, name: string, roles: string[], colour: string, language: string,
 *   has_password: boolean, can_log_out: boolean, usage: {used: Amounts, limit: Amounts, left: Amounts}}} Me
 */

/** @returns {Promise<{needed: boolean, password: boolean, openid: boolean, first: boolean}>} */
export function fetchLoginWays() {
  return request(`${API}/login`);
}

export function logIn(login, password) {
  return post(`${API}/login`, { login, password });
}

export function makeFirstAccount(secret, { name, login, password }) {
  return post(`${API}/first-account`, { secret, name, login, password });
}

export function logOut(everywhere) {
  return post(`${API}/logout`, { everywhere });
}

/** @returns {Promise<Me>} */
export function fetchMe() {
  return request(ME);
}

/** @param {{name?: string, colour?: string, language?: string}} changes @returns {Promise<Me>} */
export function changeMe(changes) {
  return change(ME, { method: "PATCH", ...json(changes) });
}

export function changePassword(old, password) {
  return post(`${ME}/password`, { old, new: password });
}

/** Deletes the account and all that is the person's. `confirm` is the password, or the login name if there is none. */
export function deleteMe(confirm) {
  return request(ME, { method: "DELETE", ...json({ confirm }), signal: AbortSignal.timeout(DELETION) });
}

/** @returns {Promise<{logins: {id: string, browser: string, address: string, last_seen: string, current: boolean}[]}>} */
export function fetchLogins() {
  return request(`${ME}/logins`);
}

export function endLogin(id) {
  return change(`${ME}/logins/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** @returns {Promise<{tokens: {id: string, name: string, scope: string, expires: string, last_used: string}[]}>} */
export function fetchTokens() {
  return request(`${ME}/tokens`);
}

/** Makes a token, which lasts for so many days, or until it is revoked. @returns {Promise<{token: string}>} */
export function makeToken(name, scope, days) {
  return post(`${ME}/tokens`, { name, scope, ...(days && { days }) });
}

export function revokeToken(id) {
  return change(`${ME}/tokens/${encodeURIComponent(id)}`, { method: "DELETE" });
}

function post(path, content) {
  return request(path, { method: "POST", ...json(content) });
}
