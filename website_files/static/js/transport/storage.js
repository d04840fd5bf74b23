/** The browser's storage as JSON. It may be full, forbidden or edited by hand: then it is as if nothing were kept. */

const PREFIX = "agentchat.";

export class Storage {
  #store;

  /** @param {"localStorage"|"sessionStorage"} kind */
  constructor(kind) {
    try {
      this.#store = globalThis[kind];
    } catch {
      this.#store = undefined; // reading the property alone throws when storage is forbidden
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
      // not kept
    }
  }

  remove(key) {
    try {
      this.#store.removeItem(PREFIX + key);
    } catch {
      // nothing was kept
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
}

/** Shared by all tabs, kept for good. */
export const device = new Storage("localStorage");

/** This tab's own, kept over a reload. */
export const tab = new Storage("sessionStorage");
