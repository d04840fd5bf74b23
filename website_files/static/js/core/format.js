/** Formats values and texts for display. The current time is passed in. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Turns an agent's identifier into a name: `weather_agent` → `Weather agent`. */
export function displayName(name) {
  const words = String(name ?? "").replace(/[_-]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : "Agent";
}

/** First character of the display name, for the avatar. */
export function initial(name) {
  return Array.from(displayName(name))[0];
}

/** A stable hue in degrees for a name. */
export function hue(name) {
  let hash = 7;
  for (const character of String(name)) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  return (hash * 137) % 360; // so that similar names get very different hues
}

/** Shortens a text to its first line, breaking at a word boundary if there is one near the limit. */
export function shorten(text, limit = 60) {
  const line = text.trim().split("\n", 1)[0].replace(/\s+/g, " ");
  const characters = Array.from(line);
  if (characters.length <= limit) return line;
  const cut = characters.slice(0, limit).join("");
  const end = cut.lastIndexOf(" ");
  return `${end > cut.length / 2 ? cut.slice(0, end) : cut}…`;
}

/** Time of day; empty for an invalid date. */
export function clock(ts, locale) {
  const date = new Date(ts);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit" });
}

/** Full date and time, for tooltips; empty for an invalid date. */
export function fullTime(ts, locale) {
  const date = new Date(ts);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString(locale, { dateStyle: "full", timeStyle: "medium" });
}

/** Time since `at`: `now`, `5 min`, `3 h`, `2 d`, then a date. */
export function ago(at, now = Date.now()) {
  const passed = now - at;
  if (passed < MINUTE) return "now";
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min`;
  if (passed < DAY) return `${Math.floor(passed / HOUR)} h`;
  if (passed < 7 * DAY) return `${Math.floor(passed / DAY)} d`;
  return new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** Formats a duration: `1.2 s`, `3 min 20 s`. */
export function duration(ms) {
  if (ms < 1000) return `${Math.max(ms / 1000, 0.1).toFixed(1)} s`;
  if (ms < MINUTE) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / MINUTE)} min ${Math.round((ms % MINUTE) / 1000)} s`;
}

const UNITS = ["KB", "MB", "GB"];

/** Formats a file size: `870 bytes`, `12 KB`, `3.4 MB`. */
export function bytes(count) {
  if (count < 1000) return `${count} ${count === 1 ? "byte" : "bytes"}`;
  const power = Math.min(Math.floor(Math.log10(count) / 3), UNITS.length);
  const value = count / 1000 ** power;
  return `${value < 10 && power > 1 ? value.toFixed(1) : Math.round(value)} ${UNITS[power - 1]}`;
}

/** Summarizes tool arguments on one line: `city: Oslo, days: 3`. */
export function compact(value, limit = 90) {
  const read = parsed(value);
  const isRecord = read !== null && typeof read === "object" && !Array.isArray(read);
  const fields = isRecord ? Object.entries(read).map(([key, each]) => `${key}: ${oneLine(each)}`) : [oneLine(read)];
  const line = fields.join(", ");
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** Pretty-prints JSON and returns anything else unchanged, as text. */
export function pretty(value) {
  const read = parsed(value);
  if (read === null || read === undefined || read === "") return "";
  return typeof read === "object" ? JSON.stringify(read, null, 2) : String(value);
}

function parsed(value) {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function oneLine(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.replace(/\s+/g, " ").slice(0, 200);
}

const WORD = /[\p{L}\p{N}]+/gu;

/**
 * Splits a text into pieces that match the query and pieces that don't, by the rules of the server's search.
 * @returns {{text: string, isFound: boolean}[]}
 */
export function highlight(text, query) {
  const wanted = (query.match(WORD) ?? []).map(plain);
  const last = wanted.at(-1);
  if (!last) return [{ text, isFound: false }];
  const pieces = [];
  let end = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!wanted.includes(plain(word)) && !plain(word).startsWith(last)) continue;
    if (index > end) pieces.push({ text: text.slice(end, index), isFound: false });
    pieces.push({ text: word, isFound: true });
    end = index + word.length;
  }
  return end < text.length ? [...pieces, { text: text.slice(end), isFound: false }] : pieces;
}

/** Drops accents and case, so that `elan` finds `Élan`. */
function plain(word) {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
