/**
 * The keys of the chat page. The dialog that lists them and the documentation are made from this table.
 *
 * @typedef {"anywhere"|"outside"|"field"|"empty"|"list"} Place outside of fields, in the message field, in it while it
 *   is empty, or in the list of conversations
 * @typedef {{action: string, keys: string[], place: Place, words(): string}} Key
 */

import { t } from "./words.js";

/** @type {Key[]} */
export const KEYS = [
  { action: "palette", keys: ["Ctrl+K", "Cmd+K"], place: "anywhere", words: () => t`Find a conversation, an agent or a command` },
  { action: "settings", keys: ["Ctrl+,", "Cmd+,"], place: "anywhere", words: () => t`Settings` },
  { action: "help", keys: ["?"], place: "outside", words: () => t`Show the keys` },
  { action: "leave", keys: ["Escape"], place: "anywhere", words: () => t`Close a menu, leave a field, or close a panel, one at a time; it stops nothing` },
  { action: "send", keys: ["Enter"], place: "field", words: () => t`Send; on a touch keyboard, break the line` },
  { action: "line", keys: ["Shift+Enter"], place: "field", words: () => t`Break the line` },
  { action: "send anyway", keys: ["Ctrl+Enter", "Cmd+Enter"], place: "field", words: () => t`Send, also with a touch keyboard` },
  { action: "menu", keys: ["/"], place: "empty", words: () => t`Choose an agent or a command` },
  { action: "edit last", keys: ["ArrowUp"], place: "empty", words: () => t`Edit your last message` },
  { action: "go", keys: ["ArrowUp", "ArrowDown", "Home", "End"], place: "list", words: () => t`Go through the conversations` },
  { action: "conversation menu", keys: ["ArrowRight", "ContextMenu"], place: "list", words: () => t`Open the menu of the conversation` },
  { action: "rename", keys: ["F2"], place: "list", words: () => t`Rename the conversation` },
  { action: "pin", keys: ["p"], place: "list", words: () => t`Pin the conversation, or unpin it` },
  { action: "delete", keys: ["Delete"], place: "list", words: () => t`Delete or leave the conversation` },
  { action: "undo", keys: ["Ctrl+Z", "Cmd+Z"], place: "list", words: () => t`Bring the deleted conversation back` },
];

/** Where a key works, in words. */
export function placeWords(place) {
  return {
    anywhere: t`Anywhere`, outside: t`Outside of fields`, field: t`In the message field`, empty: t`In the empty message field`,
    list: t`In the list of conversations`,
  }[place];
}

/** The action of a key that was pressed, or null. @param {KeyboardEvent} event @param {Place[]} places where it was pressed */
export function keyAction(event, places) {
  const pressed = keyName(event);
  return KEYS.find(({ keys, place }) => keys.includes(pressed) && places.includes(place))?.action ?? null;
}

/** Names a key as the table does: `Ctrl+K`. Shift counts only where the key is the same without it. */
function keyName({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  const isLetter = key.length === 1;
  const held = [ctrlKey && "Ctrl", metaKey && "Cmd", altKey && "Alt", shiftKey && !isLetter && "Shift"];
  return [...held.filter(Boolean), isLetter && (ctrlKey || metaKey) ? key.toUpperCase() : key].join("+");
}
