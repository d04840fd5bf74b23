/** Unsent texts stay with whoever wrote them: the next person who logs in with this browser doesn't get them. */

import { dropPending } from "./drafts.js";
import { device, tab } from "./storage.js";

const OWNER = "account"; // key of the id of whoever wrote them
const TEXTS = ["draft.", "desk.", "unsent."]; // what their keys begin with

/** Forgets the texts of everybody else. Those from before anybody had to log in are taken over. */
export function keepTextsOf(id) {
  for (const store of [device, tab]) {
    if (store.get(OWNER, id) !== id) forget(store);
    store.set(OWNER, id);
  }
}

export function forgetTexts() {
  for (const store of [device, tab]) forget(store);
}

function forget(store) {
  dropPending();
  for (const key of TEXTS.flatMap((start) => store.keys(start))) store.remove(key);
}
