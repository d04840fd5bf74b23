/** The conversation: all turns, then what waits to be sent, then errors that belong to no turn. */

import { ErrorCard } from "./error-card.js";
import { KeyedList } from "./keyed-list.js";
import { ShownTurns, turnActions } from "./turn-actions.js";
import { TurnView } from "./turn.js";
import { newTurn } from "./turns.js";

export class Transcript {
  #turns;
  #errors;
  #notice;
  #shown = new ShownTurns();

  /** @param intents what can be asked of a turn, and `dismiss(key)` for an error */
  constructor(element, intents) {
    this.#turns = new KeyedList(element.querySelector(".turns"), () => new TurnView(intents));
    const errors = element.querySelector(".session-errors");
    this.#errors = new KeyedList(errors, (error) => new ErrorCard(error, intents));
    this.#notice = element.querySelector(".replaced-notice");
  }

  /** @param {import("./session.js").State} state */
  update(state, connection) {
    const actions = turnActions(state, connection === "online");
    const turns = state.turns.map((turn) => this.#shown.show(turn, actions(turn)));
    this.#turns.update([...turns, ...state.pending.map((message) => pendingTurn(message, connection))]);
    this.#errors.update(state.errors);
    this.#notice.hidden = !state.replaced;
  }

  /** Another conversation takes the place; nothing of this one may stay. */
  clear() {
    this.#turns.update([]);
    this.#errors.update([]);
  }
}

function pendingTurn(message, connection) {
  const status = message.error ? "refused" : connection === "refused" ? "unsent" : "pending";
  const items = message.error ? [message.error] : [];
  const can = new Set(connection === "online" ? ["online"] : []);
  return { ...newTurn(null, message.id), status, message, items, can };
}
