/** Client for the REST API of logins and of the person's own account. */

import { change, json, request } from "./rest-api.js";

const API = "/api/agent-chat";

/** @typedef {{id: string, login: string, name: string, roles: string[], colour: string, language: string}} Me */

/** @returns {Promise<{needed: boolean, password: boolean, openid: boolean, first: boolean}>} */
export function fetchLoginWays() {
  return request(`${API}/login`);
}

/** @returns {Promise<Me>} */
export function logIn(login, password) {
  return post("/login", { login, password });
}

/** @returns {Promise<Me>} */
export function makeFirstAccount(secret, { name, login, password }) {
  return post("/first-account", { secret, name, login, password });
}

export function logOut(everywhere) {
  return post("/logout", { everywhere });
}

function post(path, content) {
  return request(API + path, { method: "POST", ...json(content) });
}
