/** The conversation: all turns, then messages waiting to be sent, then errors that belong to no turn. */

import { ShownTurns, turnActions } from "../../core/session/turn-presentation.js";
import { newTurn } from "../../core/session/turns.js";
import { KeyedList } from "../shared/keyed-list.js";
import { ErrorCard } from "./error-card.js";
import { TurnView } from "./turn-view.js";
import { UsagePopover } from "./usage-popover.js";

export class Transcript {
  #turns;
  #errors;
  #notice;
  #shown = new ShownTurns();
  #sessionId = null;

  /** @param intents the actions on a turn, and `dismiss(key)` for an error; see chat.js */
  constructor(element, intents) {
    const usagePopover = new UsagePopover();
    const all = { ...intents, usagePopover, sessionId: () => this.#sessionId };
    element.append(usagePopover.element);
    this.#turns = new KeyedList(element.querySelector(".turns"), () => new TurnView(all));
    const errors = element.querySelector(".session-errors");
    this.#errors = new KeyedList(errors, (error) => new ErrorCard(error, intents));
    this.#notice = element.querySelector(".replaced-notice");
  }

  /**
   * @param {import("../../core/session/session-state.js").State} state
   * @param {import("../../core/session/turn-presentation.js").Level} level how much of the agents' work to show
   */
  update(state, connection, level = "tools") {
    const actions = turnActions(state, connection === "online");
    const turns = state.turns.map((turn) => this.#shown.show(turn, actions(turn), level, state.name));
    this.#sessionId = state.sessionId;
    this.#turns.update([...turns, ...state.pending.map((message) => ({ ...pendingTurn(message, connection), level }))]);
    this.#errors.update(state.errors);
    this.#notice.hidden = !state.replaced;
  }

  /** Removes everything before another conversation is shown. */
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
