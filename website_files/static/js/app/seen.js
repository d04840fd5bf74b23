/** Remembers on this device which conversations have been looked at. Knows no DOM. */

import { isUnread, seenSoFar, withSeen } from "../core/unread.js";
import { device } from "../transport/storage.js";

const KEY = "seen";

export class SeenConversations {
  #seen = device.get(KEY);

  constructor() {
    device.whenChanged((key) => key === KEY && (this.#seen = device.get(KEY)));
  }

  /**
   * Notes on each entry of the list whether it is unread; the one that is being looked at never is.
   * @param {import("./conversation-list.js").ConversationList} list @param {string|null} current
   */
  mark(list, current) {
    if (list.status !== "ready") return;
    if (!this.#seen) this.#keep(seenSoFar(list.entries));
    const entry = list.entries.find(({ id }) => id === current);
    if (entry) this.#keep(withSeen(this.#seen, entry));
    list.mark((each) => isUnread(each, this.#seen));
  }

  #keep(seen) {
    if (seen === this.#seen) return;
    this.#seen = seen;
    device.set(KEY, seen);
  }
}
