/** The conversation that this tab has started, `{id, isEmpty}`: it is empty until the server has something of it. */

import { chatAddress, readPageAddress } from "./page-address.js";
import { tab } from "./storage.js";

const BEGUN = "begun";

export function named(sessionId) {
  tab.set(BEGUN, { id: sessionId, isEmpty: true });
}

/** Notes that the server has something of it. */
export function written() {
  const begun = tab.get(BEGUN);
  if (begun?.isEmpty) tab.set(BEGUN, { ...begun, isEmpty: false });
}

export function left() {
  tab.remove(BEGUN);
}

export function isEmpty(sessionId) {
  const begun = tab.get(BEGUN);
  return Boolean(begun?.isEmpty) && begun.id === sessionId;
}

/** Restores its address, in case a reload came before the address changed. */
export function findAfterReload() {
  const begun = tab.get(BEGUN);
  const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
  if (begun && isReload && !readPageAddress().sessionId) history.replaceState(null, "", chatAddress(begun.id));
}
