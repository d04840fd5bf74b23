/** Remembers on this device which conversations are pinned. Knows no DOM. */

import { device } from "../transport/storage.js";

const KEY = "pins";

export class Pins {
  #pins = device.get(KEY, []); // {id, role}, the latest first
  #changed;
  #fetchSession;
  #entries = new Map(); // id → promise or entry of those that the list has not loaded

  /** @param {() => void} changed @param {(id: string) => Promise<object>} fetchSession */
  constructor(changed, fetchSession) {
    this.#changed = changed;
    this.#fetchSession = fetchSession;
    device.whenChanged((key) => key === KEY && ((this.#pins = device.get(KEY, [])), changed()));
  }

  has(id) {
    return this.#pins.some((pin) => pin.id === id);
  }

  toggle({ id, role }) {
    this.#keep(this.has(id) ? this.#pins.filter((pin) => pin.id !== id) : [{ id, role }, ...this.#pins]);
  }

  /** Unpins a conversation that is gone. */
  remove(id) {
    if (this.has(id)) this.toggle({ id });
  }

  /**
   * The entries that are pinned; those that are not in the list yet are loaded.
   * @param {import("./conversation-list.js").ConversationList} list
   */
  entries({ entries, status, isHidden }) {
    const listed = new Map(entries.map((entry) => [entry.id, entry]));
    const shown = this.#pins.filter(({ id }) => !isHidden(id));
    return shown.map((pin) => listed.get(pin.id) ?? (status === "ready" ? this.#loaded(pin) : null)).filter(Boolean);
  }

  /** An old conversation changes nothing but its title without coming into the list. */
  rename(id, title) {
    const entry = this.#entries.get(id);
    if (entry?.id) this.#entries.set(id, { ...entry, title });
  }

  /** The entry of a conversation further down in the list, or null until it is loaded. */
  #loaded({ id, role }) {
    const known = this.#entries.get(id);
    if (!known) this.#entries.set(id, this.#load(id, role));
    return known?.id ? known : null;
  }

  async #load(id, role) {
    try {
      this.#entries.set(id, { ...(await this.#fetchSession(id)), role });
      this.#changed();
    } catch (error) {
      if (error.code === "session_deleted") this.remove(id); // an unknown one may be that of another account
    }
  }

  #keep(pins) {
    this.#pins = pins;
    device.set(KEY, pins);
    this.#changed();
  }
}
