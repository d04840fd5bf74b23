/** The icons and colors of agents: those that their files give them, or else a letter and a color from their names. */

import { hue, initial } from "./format.js";

/** @typedef {{icon: string|null, color: string|null, hue: number}} Looks `icon` may be the name of a drawing */

const NEAR = 20; // degrees between hues that look alike
const GOLDEN = 137.5; // degrees, which spread any number of hues over the circle
const TRIES = 36;

let known = new Map(); // agents' names to their looks

/** @param {{name: string, icon?: string|null, color?: string|null}[]} agents of the server */
export function setAgents(agents) {
  const hues = distinctHues(agents.map(({ name }) => name));
  known = new Map(agents.map(({ name, icon = null, color = null }) => [name, { icon, color, hue: hues.get(name) }]));
}

/** Returns what an agent of the server looks like, or any other speaker. @returns {Looks} */
export function looksOf(name) {
  return known.get(name) ?? { icon: null, color: null, hue: hue(name) };
}

/** Hues of names, such that names with the same initial get different ones as long as there are some. */
export function distinctHues(names) {
  const hues = new Map();
  const taken = new Map(); // initials to hues
  for (const name of [...names].sort()) {
    const others = taken.get(initial(name)) ?? [];
    let own = hue(name);
    for (let tries = 0; tries < TRIES && others.some((other) => distance(own, other) < NEAR); tries++) own = (own + GOLDEN) % 360;
    taken.set(initial(name), [...others, own]);
    hues.set(name, own);
  }
  return hues;
}

/** Black or white, whichever can be read on a color: one of them always has a contrast above 4.5:1. */
export function inkOn(color) {
  return 1.05 / (luminance(color) + 0.05) >= 4.5 ? "#ffffff" : "#000000";
}

function luminance(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => linear(Number.parseInt(color.slice(at, at + 2), 16) / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function linear(value) {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function distance(one, other) {
  const degrees = Math.abs(one - other) % 360;
  return Math.min(degrees, 360 - degrees);
}
