/** Ids for messages, commands and requests, by which the server knows those that are sent again. */

export function newId() {
  return crypto.randomUUID?.() ?? randomId();
}

/** Fallback for pages served over plain HTTP from another computer, which lack `crypto.randomUUID`. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
