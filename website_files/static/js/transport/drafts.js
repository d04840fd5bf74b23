/**
 * Texts that somebody has begun to write, by conversation. All tabs share them, except for that of a conversation which
 * has not begun: several tabs can begin one each.
 */

import { device, tab } from "./storage.js";

const START = "draft.";
const PAUSE = 300; // ms after the last key before a text is stored
export const NEW_DRAFT = `${START}new`;

/** The key of a conversation's draft, or of that of an answer. */
export function draftKey(sessionId, requestId = null) {
  return [`${START}${sessionId ?? "new"}`, requestId].filter(Boolean).join(".");
}

let pending = null; // what is still to be stored: {key, text, timer}

export function readDraft(key) {
  return pending?.key === key ? pending.text : storeOf(key).get(key, "");
}

/** Keeps a text that somebody is writing. It is stored after a pause, because storing takes time. */
export function keepDraftSoon(key, text) {
  if (pending?.key !== key) storeDrafts();
  clearTimeout(pending?.timer);
  pending = { key, text, timer: setTimeout(storeDrafts, PAUSE) };
}

/** Stores what is still to be stored. */
export function storeDrafts() {
  if (pending) keepDraft(pending.key, pending.text);
}

/** Forgets what is still to be stored. */
export function dropPending() {
  clearTimeout(pending?.timer);
  pending = null;
}

/** Keeps a text; an empty one is forgotten. */
export function keepDraft(key, text) {
  if (pending?.key === key) dropPending();
  if (text) storeOf(key).set(key, text);
  else storeOf(key).remove(key);
}

/** Takes a draft away and returns it. */
export function takeDraft(key) {
  const text = readDraft(key);
  keepDraft(key, "");
  return text;
}

/** Forgets all that was written in a conversation. */
export function forgetDrafts(sessionId) {
  const own = draftKey(sessionId);
  for (const key of device.keys(own)) if (key === own || key.startsWith(`${own}.`)) keepDraft(key, "");
}

/** Calls `heard` with the key and the text of a draft that changes in another tab. */
export function whenDraftChanges(heard) {
  device.whenChanged((key) => key.startsWith(START) && heard(key, readDraft(key)));
}

function storeOf(key) {
  return key.startsWith(NEW_DRAFT) ? tab : device;
}

/** Adds texts that were not sent to what is being written for a new conversation. */
export function addToNewDraft(...texts) {
  const all = [...texts, readDraft(NEW_DRAFT)].filter(Boolean);
  if (texts.some(Boolean)) keepDraft(NEW_DRAFT, all.join("\n\n"));
}
