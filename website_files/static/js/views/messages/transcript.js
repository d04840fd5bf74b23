/** The conversation: all turns, then what waits to be sent, then errors that belong to no turn. */

import { ErrorCard } from "./error-card.js";
import { KeyedList } from "../shared/keyed-list.js";
import { SpendingPanel } from "./usage-popover.js";
import { ShownTurns, turnActions } from "../../core/turn-actions.js";
import { TurnView } from "./turn-view.js";
import { newTurn } from "../../core/turns.js";

export class Transcript {
  #turns;
  #errors;
  #notice;
  #shown = new ShownTurns();
  #sessionId = null;

  /** @param intents what can be asked of a turn, and `dismiss(key)` for an error */
  constructor(element, intents) {
    const spending = new SpendingPanel();
    const all = { ...intents, spending, sessionId: () => this.#sessionId };
    element.append(spending.element);
    this.#turns = new KeyedList(element.querySelector(".turns"), () => new TurnView(all));
    const errors = element.querySelector(".session-errors");
    this.#errors = new KeyedList(errors, (error) => new ErrorCard(error, intents));
    this.#notice = element.querySelector(".replaced-notice");
  }

  /**
   * @param {import("../../core/session-state.js").State} state
   * @param {import("../../core/turn-presentation.js").Level} level how much of the agents' work is shown
   */
  update(state, connection, level = "tools") {
    const actions = turnActions(state, connection === "online");
    const turns = state.turns.map((turn) => this.#shown.show(turn, actions(turn), level));
    this.#sessionId = state.sessionId;
    this.#turns.update([...turns, ...state.pending.map((message) => ({ ...pendingTurn(message, connection), level }))]);
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
