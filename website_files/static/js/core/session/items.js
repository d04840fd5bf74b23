/**
 * Finds the items of a turn by key, and those that are unfinished, without looking at all of them: a turn of a team may
 * have thousands. Lists of items are never changed; what is known of the latest one is carried on to its successor.
 */

const INDEXES = new WeakMap(); // lists to {places: Map of keys to places, unfinished: Set of keys, list}

function indexOf(items) {
  const known = INDEXES.get(items);
  if (known?.list === items) return known;
  const index = { places: new Map(), unfinished: new Set(), list: items };
  items.forEach((item, place) => note(index, item, place));
  INDEXES.set(items, index);
  return index;
}

function note(index, item, place) {
  index.places.set(item.key, place);
  if (isUnfinished(item)) index.unfinished.add(item.key);
  else index.unfinished.delete(item.key);
}

/** A text that streams in, or a call that waits for its result. */
function isUnfinished({ kind, state, result }) {
  if (kind === "tool") return state === "denied" ? result === null : state === "running" || state === "waiting";
  return state === "streaming";
}

/** The place of the item with that key, or -1. */
export function placeOf(items, key) {
  return indexOf(items).places.get(key) ?? -1;
}

/** The item with that key, or undefined. */
export function itemOf(items, key) {
  return items[placeOf(items, key)];
}

/** The unfinished items, in their order. */
export function unfinishedOf(items) {
  const { places, unfinished } = indexOf(items);
  return Array.from(unfinished, (key) => places.get(key)).sort((a, b) => a - b).map((place) => items[place]);
}

/** The items with this one instead of that with the same key, or at the end. */
export function withItem(items, item) {
  const index = indexOf(items);
  const place = index.places.get(item.key) ?? items.length;
  const list = items.slice();
  list[place] = item;
  note(index, item, place);
  index.list = list;
  INDEXES.set(list, index);
  return list;
}
