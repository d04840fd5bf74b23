/** The conversation: all turns, then what waits to be sent, then errors that belong to no turn. */

import { ErrorCard } from "./error-card.js";
import { KeyedList } from "./keyed-list.js";
import { TurnView } from "./turn.js";

export class Transcript {
  #turns;
  #errors;
  #notice;

  /** @param {{resend(): void, ask(text: string): void, dismiss(key: string): void}} intents */
  constructor(element, intents) {
    this.#turns = new KeyedList(element.querySelector(".turns"), () => new TurnView(intents));
    const errors = element.querySelector(".session-errors");
    this.#errors = new KeyedList(errors, (error) => new ErrorCard(error, intents.dismiss));
    this.#notice = element.querySelector(".replaced-notice");
  }

  /** @param {import("./session.js").State} state */
  update(state, connection) {
    const isOnline = connection === "online";
    const isUnsent = connection === "refused" || (isOnline && state.errors.length > 0);
    const status = isUnsent ? "unsent" : "pending";
    const pending = state.pending.map((message) => ({ ...BLANK, key: message.id, status, message, isOnline }));
    this.#turns.update([...state.turns, ...pending]);
    this.#errors.update(state.errors);
    this.#notice.hidden = !state.replaced;
  }

  /** Another conversation takes the place; nothing of this one may stay. */
  clear() {
    this.#turns.update([]);
    this.#errors.update([]);
  }
}

const BLANK = { number: null, items: [], agent: null, speaker: null, durationMs: null, usage: null };
