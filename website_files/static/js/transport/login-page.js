/** The way to the login page and back. Nothing but the pages of this server can be the way back. */

import { tab } from "./storage.js";

const PAGES = ["", "desk", "admin", "status"]; // their names in addresses
const KEPT = "back"; // key of the way back while another server logs the person in

let isLeaving = false;

/** Leaves for the login page, once, from which the person comes back to where they are. */
export function goToLoginPage() {
  if (isLeaving) return;
  isLeaving = true;
  location.replace(loginAddress());
}

/** Address of the login page. What this page's fragment holds stays in the fragment, which no server sees. */
export function loginAddress({ pathname, search, hash } = location) {
  const page = pathname.slice(pathname.lastIndexOf("/") + 1);
  return `./login?${new URLSearchParams({ back: page + search })}${hash}`;
}

/**
 * Reads the login page's address: where to go afterwards, the secret that makes the first account, and the code of an
 * error, if there are any.
 */
export function readLoginAddress({ search, hash } = location) {
  const [, key, value] = hash.match(/^#(first|error)=([\w-]*)$/) ?? [];
  const own = key ? "" : hash;
  const name = new URLSearchParams(search).get("back");
  const [page, fragment] = name === null && !own ? tab.get(KEPT, ["", ""]) : [name ?? "", own];
  return { page, fragment, first: key === "first" ? value : "", error: key === "error" ? value : "" };
}

/** Address of the page to go to afterwards, which is one of this server's, whatever was asked for. */
export function wayBack({ page, fragment }) {
  const isOurs = PAGES.includes(String(page).split("?", 1)[0]);
  return `./${isOurs ? page : ""}${fragment}`;
}

/** Keeps the way back in this tab, for logins that lead over another server. */
export function keepWayBack({ page, fragment }) {
  tab.set(KEPT, [page, fragment]);
}

export function forgetWayBack() {
  tab.remove(KEPT);
}
