/** What admins are shown about people, and the audit log in words. */

import { t } from "../core/words.js";

const SHOWN_APART = new Set(["ts", "event", "who", "address"]);

/** Name of a person in a table: the login name if there is one, else what they called themselves. */
export function shownName({ id, login, name }) {
  if (!login) return name || id;
  return name && name !== login ? `${login} (${name})` : login;
}

/** Whoever an entry of the audit log is about; a dash for nobody. */
export function shownWho({ who, system_user: systemUser }) {
  if (who) return who.login || who.id;
  return systemUser ? t`${systemUser} (command line)` : "–";
}

/** An entry's event as words: `session_deleted` → `session deleted`. */
export function shownEvent({ event }) {
  return String(event).replaceAll("_", " ");
}

/** Everything else in an entry, as plain text: `session: x, tool: send`. */
export function shownFields(entry) {
  const fields = Object.entries(entry).filter(([name, value]) => !SHOWN_APART.has(name) && value !== null && value !== "");
  return fields.map(([name, value]) => `${name.replaceAll("_", " ")}: ${shown(value)}`).join(", ");
}

function shown(value) {
  if (Array.isArray(value)) return value.length ? value.join(" ") : t`none`;
  return typeof value === "boolean" ? (value ? t`yes` : t`no`) : String(value);
}

/**
 * Gives each item a key that stays the same as long as the item does; equal ones are numbered.
 * @returns {{key: string, item: object}[]}
 */
export function keyed(items, keyOf) {
  const seen = new Map();
  return items.map((item) => {
    const key = keyOf(item);
    const number = (seen.get(key) ?? 0) + 1;
    seen.set(key, number);
    return { key: `${key} ${number}`, item };
  });
}
