/** Series of numbers, as charts show them: their geometry, their axes and their units. Pure. */

import { UNKNOWN, count, money } from "../core/session/usage.js";

const MIB = 2 ** 20;

/** The next round number from which an axis can be read: 1, 2 or 5 times a power of ten, for bytes in MiB. */
export function roundUp(value, kind = "number") {
  if (!(value > 0)) return 1;
  if (kind === "bytes") return roundUp(value / MIB) * MIB;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999999);
}

/**
 * Path of a line through values at equal distances that end at the right edge. A null interrupts it; a value between
 * two nulls becomes a dot.
 * @param {(number|null)[]} values  @param {number} room  values for which there is room
 */
export function linePath(values, most, { width, height, room }) {
  const step = width / Math.max(room - 1, 1);
  const x = (place) => round(width - (values.length - 1 - place) * step);
  const y = (value) => round(height - (Math.min(value, most) / most) * height);
  let path = "";
  values.forEach((value, place) => {
    if (value === null) return;
    const isFirst = place === 0 || values[place - 1] === null;
    path += `${isFirst ? "M" : "L"}${x(place)} ${y(value)}`;
    if (isFirst && (values[place + 1] ?? null) === null) path += "h0.01";
  });
  return path;
}

/** Place of the value that is nearest to a point, given as a share of the width; null where there is none. */
export function placeAt(share, length, room) {
  const place = Math.round(length - 1 - (1 - share) * (room - 1));
  return place >= 0 && place < length ? place + 0 : null; // no minus zero
}

/**
 * What each agent was used for, by day, with all days since the first. Agents that are used little share one row.
 * @param {{day: string, agent: string}[]} usage  @param {"turns"|"tokens"|"cost"} what
 * @returns {{days: string[], agents: {name: string, total: number, values: number[]}[]}}
 */
export function byDay(usage, what, since, until, most = 6) {
  const days = [];
  for (let day = since; day <= until; day = nextDay(day)) days.push(day);
  const place = new Map(days.map((day, index) => [day, index]));
  const agents = new Map();
  for (const each of usage) {
    if (!place.has(each.day)) continue;
    if (!agents.has(each.agent)) agents.set(each.agent, { name: each.agent, total: 0, values: days.map(() => 0) });
    const agent = agents.get(each.agent);
    agent.total += each[what];
    agent.values[place.get(each.day)] += each[what];
  }
  const sorted = [...agents.values()].sort((a, b) => b.total - a.total || a.name.localeCompare(b.name));
  if (sorted.length <= most) return { days, agents: sorted };
  const rest = sorted.slice(most);
  const others = { name: "others", total: 0, values: days.map(() => 0) };
  for (const { total, values } of rest) {
    others.total += total;
    values.forEach((value, index) => (others.values[index] += value));
  }
  return { days, agents: [...sorted.slice(0, most), others] };
}

function nextDay(day) {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

/** Formats of numbers, by the kind of what they measure. A dash stands for none. */
export const FORMATS = {
  number: (value) => (Number.isInteger(value) ? count(value) : value.toFixed(1)),
  seconds: (value) => (value < 1 ? `${shortened(value * 1000)} ms` : `${shortened(value)} s`),
  bytes: (value) => `${shortened(value / MIB)} MiB`,
  dollars: (value) => money(value) || "$0",
};

export function shown(value, kind) {
  return value === null || value === undefined ? UNKNOWN : FORMATS[kind](value);
}

function shortened(value) {
  return value < 10 ? String(Number(value.toFixed(1))) : count(Math.round(value));
}

function round(value) {
  return Math.round(value * 100) / 100;
}
