/**
 * What a conversation has used: tokens read and written, and money where prices are known. Pure.
 *
 * @typedef {{read: number, written: number, cost: number, isPartial: boolean}} Spent `isPartial`: not every price is known
 */

import { duration } from "./format.js";

export const NOTHING_SPENT = Object.freeze({ read: 0, written: 0, cost: 0, isPartial: false });

/** @param {Spent} spent */
export function spend(spent, usage) {
  if (!usage) return spent;
  const { read, written, cost } = readUsage(usage);
  return {
    read: spent.read + read,
    written: spent.written + written,
    cost: spent.cost + (cost ?? 0),
    isPartial: spent.isPartial || (cost === null && read + written > 0),
  };
}

/** @returns {{name: string, read: number, written: number, cost: number|null}[]} the most expensive first */
export function byAgent({ agents = {} }) {
  const all = Object.entries(agents).map(([name, usage]) => ({ name, ...readUsage(usage) }));
  return all.sort((a, b) => (b.cost ?? 0) - (a.cost ?? 0) || b.read + b.written - a.read - a.written);
}

export function readUsage({ prompt_tokens: read = 0, completion_tokens: written = 0, cost = null }) {
  return { read, written, cost };
}

/** @returns {string} `$0.0012`, `$1.50`, or nothing where there is nothing to pay */
export function money(cost, digits = cost < 0.01 ? 4 : 2) {
  return cost ? `$${cost.toFixed(digits)}` : "";
}

export function count(tokens) {
  return tokens.toLocaleString("en");
}

/** @returns {string[]} what a turn took: time, tokens, money */
export function costs({ durationMs, usage }) {
  const { read, written, cost } = readUsage(usage ?? {});
  return [
    durationMs === null ? "" : duration(durationMs),
    read + written ? `${count(read)} tokens in, ${count(written)} out` : "",
    money(cost),
  ].filter(Boolean);
}

/** @returns {string[]} what the whole conversation took */
export function totals({ read, written, cost, isPartial }) {
  const price = money(cost);
  const tokens = read + written;
  return [tokens ? `${count(tokens)} tokens` : "", price && (isPartial ? `at least ${price}` : price)].filter(Boolean);
}
