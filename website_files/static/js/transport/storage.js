/**
 * JSON values in the browser's storage. If it is full, forbidden or corrupted, it acts as if it were empty. Servers below
 * different paths of one host share a storage, and have different keys.
 */

const PREFIX = `agentchat.${folder(globalThis.location?.pathname ?? "/")}`;

export class Storage {
  #store;

  /** @param {"localStorage"|"sessionStorage"} kind */
  constructor(kind) {
    try {
      this.#store = globalThis[kind];
    } catch {
      this.#store = undefined; // when storage is forbidden, even reading the property throws
    }
  }

  get(key, otherwise = null) {
    try {
      return JSON.parse(this.#store.getItem(PREFIX + key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  set(key, value) {
    try {
      this.#store.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // full or forbidden: not stored
    }
  }

  remove(key) {
    try {
      this.#store.removeItem(PREFIX + key);
    } catch {
      // forbidden: nothing was stored
    }
  }

  keys(start) {
    try {
      const keys = Object.keys(this.#store).filter((key) => key.startsWith(PREFIX + start));
      return keys.map((key) => key.slice(PREFIX.length));
    } catch {
      return [];
    }
  }

  /** Calls `heard` with the key of each value that another tab changes. */
  whenChanged(heard) {
    globalThis.addEventListener?.("storage", ({ key, storageArea }) => {
      if (key?.startsWith(PREFIX) && storageArea === this.#store) heard(key.slice(PREFIX.length));
    });
  }
}

/** Shared by all tabs and kept permanently. */
export const device = new Storage("localStorage");

/** For this tab only, kept across reloads. */
export const tab = new Storage("sessionStorage");

export function folder(path) {
  const place = path.slice(0, path.lastIndexOf("/") + 1);
  return place === "/" ? "" : place;
}
