/**
 * Token usage and, where prices are known, cost.
 *
 * @typedef {{read: number, written: number, cost: number, isPartial: boolean, isEstimated: boolean}} UsageTotal
 *   `isPartial`: some of the prices are unknown. `isEstimated`: some of the tokens are estimated.
 */

import { duration } from "../format.js";
import { currentLanguage, t } from "../words.js";

export const UNKNOWN = "–";
export const NO_USAGE = Object.freeze({ read: 0, written: 0, cost: 0, isPartial: false, isEstimated: false });

/** Adds the usage of one turn to the total. @param {UsageTotal} spent */
export function addUsage(spent, usage) {
  if (!usage) return spent;
  const { read, written, cost, estimated } = readUsage(usage);
  return {
    read: spent.read + read,
    written: spent.written + written,
    cost: spent.cost + (cost ?? 0),
    isPartial: spent.isPartial || (cost === null && read + written > 0),
    isEstimated: spent.isEstimated || estimated,
  };
}

/**
 * Usage of each agent, the most expensive first.
 * @returns {{name: string, read: number|null, written: number|null, cost: number|null, estimated: boolean}[]}
 */
export function byAgent({ agents = {} }) {
  const all = Object.entries(agents).map(([name, usage]) => ({ name, ...readUsage(usage) }));
  return all.sort((a, b) => (b.cost ?? 0) - (a.cost ?? 0) || b.read + b.written - a.read - a.written);
}

/** Reads an event's usage; tokens that are unknown are null. */
export function readUsage({ prompt_tokens, completion_tokens, cost = null, estimated = false }) {
  return { read: prompt_tokens ?? null, written: completion_tokens ?? null, cost, estimated };
}

/** Formats a cost: `$0.0012`, `$1.50`, or an empty string for no cost. */
export function money(cost, digits = cost < 0.01 ? 4 : 2) {
  if (!cost) return "";
  const options = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumFractionDigits: digits };
  return new Intl.NumberFormat(currentLanguage(), { ...options, maximumFractionDigits: digits }).format(cost);
}

export function count(number) {
  return number.toLocaleString(currentLanguage());
}

/** Formats tokens: `1,200`, `about 1,200`, or a dash if they are unknown. */
export function tokens(number, isEstimated = false) {
  if (number === null) return UNKNOWN;
  return isEstimated ? t`about ${number}` : count(number);
}

/** Duration, tokens and cost of a turn. @returns {string[]} */
export function usageSummary({ durationMs, usage }) {
  const { read, written, cost, estimated } = readUsage(usage ?? {});
  return [
    durationMs === null ? "" : duration(durationMs),
    read + written ? t`${tokens(read, estimated)} tokens in, ${tokens(written)} out` : "",
    money(cost),
  ].filter(Boolean);
}

/** Tokens and cost of the whole conversation. @returns {string[]} */
export function totalSummary({ read, written, cost, isPartial, isEstimated }) {
  const price = money(cost);
  const total = read + written;
  return [total ? t`${tokens(total, isEstimated)} tokens` : "", price && (isPartial ? t`at least ${price}` : price)].filter(Boolean);
}
