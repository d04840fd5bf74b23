/** Formats values and texts for display, in the language of the page. The current time is passed in. */

import { currentLanguage, t } from "./words.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Turns an agent's identifier into a name: `weather_agent` → `Weather agent`. */
export function displayName(name) {
  const words = String(name ?? "").replace(/[_-]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : t`Agent`;
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
export function clock(ts, locale = currentLanguage()) {
  return written(ts, { hour: "numeric", minute: "2-digit" }, locale);
}

/** Full date and time, for tooltips; empty for an invalid date. */
export function fullTime(ts, locale = currentLanguage()) {
  return written(ts, { dateStyle: "full", timeStyle: "medium" }, locale);
}

/** Date: `3 Dec 2026`. */
export function day(ts) {
  return written(ts, { day: "numeric", month: "short", year: "numeric" }, currentLanguage());
}

/** Month: `October`, with its year if that is another one: `October 2025`. */
export function monthName(ts, now) {
  const isThisYear = new Date(ts).getFullYear() === new Date(now).getFullYear();
  const name = written(ts, { month: "long", ...(isThisYear ? {} : { year: "numeric" }) }, currentLanguage());
  return name && name[0].toLocaleUpperCase(currentLanguage()) + name.slice(1);
}

/** Date without its year, and time: `3 Dec, 14:05`. @param more options of Intl.DateTimeFormat */
export function dayAndTime(ts, more = {}) {
  return written(ts, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit", ...more }, currentLanguage());
}

function written(ts, options, locale) {
  const date = new Date(ts);
  return Number.isNaN(date.getTime()) ? "" : formatter("DateTimeFormat", locale, options).format(date);
}

const FORMATTERS = new Map(); // making one takes a hundred times as long as using it

function formatter(kind, locale, options) {
  const key = JSON.stringify([kind, locale, options]);
  if (!FORMATTERS.has(key)) FORMATTERS.set(key, new Intl[kind](locale, options));
  return FORMATTERS.get(key);
}

/** Time since `at`: `now`, `5 min`, `3 hr`, `2 days`, then a date. */
export function ago(at, now = Date.now()) {
  const passed = now - at;
  if (passed < MINUTE) return relative(0, "second");
  const [count, unit] = counted(passed);
  return unit ? measured(count, unit, "short") : written(at, { day: "numeric", month: "short" }, currentLanguage());
}

/** Time since then, within a sentence: `now`, `5 min ago`, then `on 3 Dec`. */
export function since(ts, now = Date.now()) {
  const at = Date.parse(ts);
  const [count, unit] = counted(now - at);
  if (now - at < MINUTE) return relative(0, "second");
  return unit ? relative(-count, unit) : t`on ${written(at, { day: "numeric", month: "short" }, currentLanguage())}`;
}

function counted(passed) {
  if (passed < HOUR) return [Math.floor(passed / MINUTE), "minute"];
  if (passed < DAY) return [Math.floor(passed / HOUR), "hour"];
  return passed < 7 * DAY ? [Math.floor(passed / DAY), "day"] : [0, ""];
}

/** A count of units from now: `now`, `5 min ago`. */
function relative(count, unit) {
  const options = { numeric: count ? "always" : "auto", style: "long" };
  return formatter("RelativeTimeFormat", currentLanguage(), options).format(count, unit);
}

/** A number with its unit in a language's own way. */
function measured(count, unit, unitDisplay, digits = 0) {
  const options = { style: "unit", unit, unitDisplay, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return formatter("NumberFormat", currentLanguage(), options).format(count);
}

/** Formats a duration: `1.2s`, `3m 20s`. */
export function duration(ms) {
  if (ms < MINUTE) return measured(Math.max(ms / 1000, 0.1), "second", "narrow", 1);
  const seconds = Math.round(ms / 1000);
  return `${measured(Math.floor(seconds / 60), "minute", "narrow")} ${measured(seconds % 60, "second", "narrow")}`;
}

/** Formats a duration without parts of a second: `12s`, `3m 20s`. */
export function wholeSeconds(ms) {
  return ms < MINUTE ? measured(Math.round(ms / 1000), "second", "narrow") : duration(ms);
}

const UNITS = ["kilobyte", "megabyte", "gigabyte"];

/** Formats a file size: `870 bytes`, `12 kB`, `3.4 MB`. */
export function bytes(count) {
  if (count < 1000) return measured(count, "byte", "long");
  const power = Math.min(Math.floor(Math.log10(count) / 3), UNITS.length);
  const value = count / 1000 ** power;
  return measured(value, UNITS[power - 1], "short", value < 10 && power > 1 ? 1 : 0);
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
