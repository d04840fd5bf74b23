/**
 * Token usage and, where prices are known, cost.
 *
 * @typedef {{read: number, written: number, cost: number, isPartial: boolean}} UsageTotal
 *   `isPartial`: some of the prices are unknown.
 */

import { duration } from "./format.js";

export const NO_USAGE = Object.freeze({ read: 0, written: 0, cost: 0, isPartial: false });

/** Adds the usage of one turn to the total. @param {UsageTotal} spent */
export function addUsage(spent, usage) {
  if (!usage) return spent;
  const { read, written, cost } = readUsage(usage);
  return {
    read: spent.read + read,
    written: spent.written + written,
    cost: spent.cost + (cost ?? 0),
    isPartial: spent.isPartial || (cost === null && read + written > 0),
  };
}

/**
 * Usage of each agent, the most expensive first.
 * @returns {{name: string, read: number, written: number, cost: number|null}[]}
 */
export function byAgent({ agents = {} }) {
  const all = Object.entries(agents).map(([name, usage]) => ({ name, ...readUsage(usage) }));
  return all.sort((a, b) => (b.cost ?? 0) - (a.cost ?? 0) || b.read + b.written - a.read - a.written);
}

/** Reads an event's usage; tokens that are unknown (null) count as none. */
export function readUsage({ prompt_tokens: read, completion_tokens: written, cost = null, estimated = false }) {
  return { read: read ?? 0, written: written ?? 0, cost, estimated };
}

/** Formats a cost: `$0.0012`, `$1.50`, or an empty string for no cost. */
export function money(cost, digits = cost < 0.01 ? 4 : 2) {
  return cost ? `$${cost.toFixed(digits)}` : "";
}

export function count(tokens) {
  return tokens.toLocaleString("en");
}

/** Duration, tokens and cost of a turn. @returns {string[]} */
export function usageSummary({ durationMs, usage }) {
  const { read, written, cost, estimated } = readUsage(usage ?? {});
  return [
    durationMs === null ? "" : duration(durationMs),
    read + written ? `${estimated ? "about " : ""}${count(read)} tokens in, ${count(written)} out` : "",
    money(cost),
  ].filter(Boolean);
}

/** Tokens and cost of the whole conversation. @returns {string[]} */
export function totalSummary({ read, written, cost, isPartial }) {
  const price = money(cost);
  const tokens = read + written;
  return [tokens ? `${count(tokens)} tokens` : "", price && (isPartial ? `at least ${price}` : price)].filter(Boolean);
}
