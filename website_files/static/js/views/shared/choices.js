/**
 * A person's choices that count for all pages of this server. They are cookies, since the server writes the pages
 * accordingly; the other tabs are told through the storage, which tells nobody of cookies.
 */

import { device, folder } from "../../transport/storage.js";

const YEAR = 365 * 24 * 60 * 60; // in seconds
const SIGNAL = "chosen";

/** A choice that was made in this browser; null without one. */
export function chosen(name) {
  return document.cookie.match(new RegExp(String.raw`(?:^|;\s*)agentchat_${name}=([\w-]+)`))?.[1] ?? null;
}

/** Keeps a choice, or forgets it without a value. */
export function choose(name, value) {
  keep(name, value);
  device.set(SIGNAL, { name, value });
}

/** Calls `heard` when another tab has made that choice. */
export function whenChosen(name, heard) {
  device.whenChanged((key) => {
    const signal = key === SIGNAL ? device.get(SIGNAL) : null;
    if (signal?.name !== name) return;
    keep(name, signal.value); // the other tab's cookie may come later than its signal
    heard();
  });
}

function keep(name, value) {
  const age = value ? YEAR : 0;
  document.cookie = `agentchat_${name}=${value ?? ""}; path=${folder(location.pathname) || "/"}; max-age=${age}; samesite=lax`;
}
