/** The keys that work anywhere on the chat page, or outside of its fields; see core/keys.js for their names. */

import { keyAction } from "../core/keys.js";

const FIELDS = "input:not([type=radio], [type=checkbox], [type=button]), textarea, select";

/**
 * @param {object} dialogs what keys open
 * @param {{isOpen: boolean, close(): void}[]} narrowing what Esc closes, one at a time
 */
export function listenToKeys({ palette, settings, keysDialog }, narrowing) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    const action = keyAction(event, isField(document.activeElement) ? ["anywhere"] : ["anywhere", "outside"]);
    const hasDialog = Boolean(document.querySelector("dialog[open]"));
    const isCovered = Boolean(document.querySelector(":popover-open, dialog[open]"));
    if (action === "palette" && palette.isOpen) palette.close();
    else if (action === "palette" && !hasDialog) palette.open();
    else if (action === "settings" && !hasDialog) settings.open();
    else if (action === "help" && !isCovered) keysDialog.open();
    else if (action === "leave" && !isCovered) return leave(narrowing);
    else return;
    event.preventDefault(); // the browser has uses of its own for some of these keys
  });
}

/** Leaves the field, or closes what covers or narrows the conversation. Never stops a turn. */
function leave(narrowing) {
  const field = document.activeElement;
  if (isField(field)) {
    document.querySelector(".scroller").focus({ preventScroll: true });
    if (field === document.activeElement) field.blur(); // the conversation is behind a drawer
  } else {
    narrowing.find(({ isOpen }) => isOpen)?.close();
  }
}

function isField(element) {
  return element?.matches(FIELDS) ?? false;
}
