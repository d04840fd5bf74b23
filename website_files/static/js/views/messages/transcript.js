/**
 * The conversation: its turns, then messages waiting to be sent, then errors that belong to no turn.
 *
 * Only the latest turns are built. Earlier ones are added when the reader gets near them, and taken away again once new
 * ones have come while the reader is at the end, so that the page stays as fast as it was.
 */

import { ShownTurns, turnActions } from "../../core/session/turn-presentation.js";
import { newTurn } from "../../core/session/turns.js";
import { t } from "../../core/words.js";
import { button, h } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";
import { AT_ONCE } from "../shared/latest-items.js";
import { keepEnd, whenNear } from "../shared/scrolling.js";
import { ErrorCard } from "./error-card.js";
import { TurnView } from "./turn-view.js";
import { UsagePopover } from "./usage-popover.js";

const AT_ONE_TIME = 3; // turns; when more come with one update, they are history
const PAUSE = 1000; // ms between two looks at a history that is still coming
const MAX_HEIGHT = 30_000; // pixels

export class Transcript {
  #list;
  #earlier = h("div", { class: "earlier-turns", hidden: true }, this.#earlierButton());
  #first = 0; // the number of turns that are not built
  #isAtEnd = () => true;
  #next = 0; // the earliest time to show more of a history that is still coming
  #last = null; // the arguments of the last update
  #turns;
  #errors;
  #notice;
  #shown = new ShownTurns();
  #sessionId = null;
  #wanted = null; // {sessionId, seq} of a place to go to once it is there
  #found = null; // the element that is marked
  #intents;

  /** @param intents the actions on a turn, and `dismiss(key)` for an error; see chat.js.
   *   `left()` is called before the reader is taken from the end to a place, `lost()` if that does not count any more */
  constructor(element, intents) {
    this.#intents = intents;
    const usagePopover = new UsagePopover();
    const all = { ...intents, usagePopover, sessionId: () => this.#sessionId };
    element.append(usagePopover.element);
    this.#list = element.querySelector(".turns");
    this.#list.before(this.#earlier);
    this.#turns = new KeyedList(this.#list, () => new TurnView(all));
    this.#isAtEnd = intents.isAtEnd;
    whenNear(this.#earlier, () => this.#showEarlier());
    const errors = element.querySelector(".session-errors");
    this.#errors = new KeyedList(errors, (error) => new ErrorCard(error, intents));
    this.#notice = element.querySelector(".replaced-notice");
  }

  /**
   * @param {import("../../core/session/session-state.js").State} state
   * @param {import("../../core/session/turn-presentation.js").Level} level how much of the agents' work to show
   */
  update(state, connection, level = "tools") {
    if (state.lastSeq < state.replayUntil && performance.now() < this.#next) return;
    this.#next = performance.now() + PAUSE;
    if (this.#hasTooMany(state.turns)) this.#first = before(state.turns, state.turns.length);
    this.#last = [state, connection, level];
    this.#earlier.hidden = this.#first === 0;
    const actions = turnActions(state, connection === "online");
    const built = state.turns.slice(this.#first);
    const turns = built.map((turn) => this.#shown.show(turn, actions(turn), level, state.name));
    this.#sessionId = state.sessionId;
    this.#turns.update([...turns, ...state.pending.map((message) => ({ ...pendingTurn(message, connection), level }))]);
    this.#errors.update(state.errors);
    this.#notice.hidden = !state.replaced;
    if (this.#wanted) this.#go();
  }

  /** Goes to what was said with a `seq`, as soon as that conversation is there. @param {{sessionId: string, seq: number}|null} place */
  goTo(place) {
    this.#wanted = place;
    if (place && this.#last) this.#go();
  }

  #go() {
    const [state] = this.#last;
    const { sessionId, seq } = this.#wanted;
    const isComplete = state.lastSeq >= Math.max(seq, state.replayUntil);
    if (state.sessionId !== sessionId || !isComplete) return;
    this.#wanted = null;
    const turn = state.turns.find((each) => each.message?.seq === seq || each.items.some((item) => item.seq === seq));
    if (!turn) return this.#intents.lost();
    this.#intents.left();
    this.showTurn(turn.number);
    this.#mark(this.#turns.view(turn.key).placeOf(seq));
  }

  #mark(element) {
    this.#found?.removeAttribute("data-found");
    this.#found = element;
    element.dataset.found = "";
    if (element.localName === "details") element.open = true;
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    const isLong = element.offsetHeight > this.#list.closest(".scroller").clientHeight;
    element.scrollIntoView({ block: isLong ? "start" : "center", behavior: "instant" });
  }

  /** Builds the turns before the first one. What the reader sees stays where it is. */
  #showEarlier() {
    if (!this.#first || !this.#last) return;
    keepEnd(this.#list, () => {
      this.#next = 0;
      this.#first = before(this.#last[0].turns, this.#first);
      this.update(...this.#last);
    });
  }

  /** Builds what is before a turn, too, if it isn't there yet. */
  showTurn(number) {
    const place = this.#last[0].turns.findIndex((turn) => turn.number === number);
    while (this.#first > Math.max(place, 0)) this.#showEarlier();
  }

  #earlierButton() {
    return button("text-button", () => this.#showEarlier(), t`Earlier messages`);
  }

  /** Whether to take earlier turns away: a history has come, or the page has become very long, and nobody reads them. */
  #hasTooMany(turns) {
    const grown = turns.length - (this.#last?.[0].turns.length ?? 0);
    if (this.#first > turns.length) return true;
    if (grown <= 0 || !this.#isAtEnd()) return false;
    return grown > AT_ONE_TIME || this.#list.scrollHeight > MAX_HEIGHT;
  }

  /** Removes everything before another conversation is shown. */
  clear() {
    this.#turns.update([]);
    this.#errors.update([]);
    this.#last = null;
    this.#first = this.#next = 0;
    this.#earlier.hidden = true;
  }
}

/** The place of the first turn to build, so that there are enough items in them before `end`. */
function before(turns, end) {
  let first = end;
  for (let items = 0; first > 0 && items < AT_ONCE; ) items += turns[(first -= 1)].items.length + 1;
  return first;
}

function pendingTurn(message, connection) {
  const status = message.error ? "refused" : connection === "refused" ? "unsent" : "pending";
  const items = message.error ? [message.error] : [];
  const can = new Set(connection === "online" ? ["online"] : []);
  return { ...newTurn(null, message.id), status, message, items, can };
}
