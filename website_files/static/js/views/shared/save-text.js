/** Saves a text as a file of the reader's. */

import { h } from "./dom.js";

const KEPT = 60_000; // ms in which the browser has read it

export function saveText(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT);
}
