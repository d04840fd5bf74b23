/** One turn: what the person wrote, all that the agents did about it, and how it ended. */

import { arranged, isPassedOn } from "../../core/turn-presentation.js";
import { paintAvatar } from "../shared/avatar.js";
import { button, h, icon, setText } from "../shared/dom.js";
import { displayName } from "../../core/format.js";
import { itemView } from "./items.js";
import { KeyedList } from "../shared/keyed-list.js";
import { PersonMessage } from "./person-message.js";
import { isOpenQuestion } from "../../core/questions.js";
import { costs } from "../../core/usage.js";

const ENDS = {
  stopped: "Stopped",
  failed: "Failed",
  interrupted: "Interrupted: the server went down",
};

export class TurnView {
  #person;
  #items = h("div", { class: "turn-items" });
  #list;
  #working = new WorkingLine();
  #ending;

  /** What can be asked of a turn: see chat.js. */
  constructor(intents) {
    this.#list = new KeyedList(this.#items, (item) => itemView(item, intents));
    this.#person = new PersonMessage(intents);
    this.#ending = new EndingLine(intents);
    this.element = h(
      "section",
      { class: "turn" },
      this.#person.element, this.#items, this.#working.element, this.#ending.element,
    );
  }

  /** @param {import("../../core/session-state.js").Turn & {can: Set<string>, level: import("../../core/turn-presentation.js").Level}} turn */
  update(turn) {
    const items = turn.items.map((item) => withRights(item, turn.can));
    const shown = arranged({ ...turn, items }, turn.level);
    this.element.dataset.state = turn.status;
    if (turn.number) this.element.dataset.turn = turn.number;
    this.#person.element.hidden = !turn.message;
    if (turn.message) this.#person.update(turn);
    this.#list.update(shown);
    this.#working.update(turn, shown.at(-1));
    this.#ending.update(turn);
  }
}

/** Whether a question can be answered from here. */
function withRights(item, can) {
  return item.kind === "question" ? { ...item, canAnswer: can.has("answer"), isOnline: can.has("online") } : item;
}

/** Says that something goes on while there is nothing else to see. */
class WorkingLine {
  #avatar = h("span", { class: "avatar", "aria-hidden": "true" });
  #text = h("span", {});
  #dots = h("span", { class: "dots", "aria-hidden": "true" });
  element = h("div", { class: "working", hidden: true }, this.#avatar, this.#dots, this.#text);

  /** @param last what is the last to be seen */
  update(turn, last) {
    const newest = last?.kind === "inner" ? last.items.at(-1) : last;
    const isSeen = newest?.state === "streaming" || turn.items.some(isOpenQuestion);
    this.element.hidden = turn.status !== "running" || isSeen || isPassedOn(turn);
    if (this.element.hidden) return;
    const tools = turn.items.filter((item) => item.state === "running");
    const who = turn.speaker ?? newest?.sender ?? turn.agent;
    this.#avatar.hidden = Boolean(newest?.sender && newest.sender === who);
    paintAvatar(this.#avatar, who);
    setText(this.#text, tools.length ? `Running ${toolNames(tools)}…` : `${displayName(who)} is thinking…`);
  }
}

function toolNames(tools) {
  return tools.length === 1 ? tools[0].name : `${tools.length} tools`;
}

/** How the turn ended, and what it took. */
class EndingLine {
  #state = h("span", { class: "ending-state" });
  #costs = button("text-button ending-costs", () => {});
  #retry;
  #usage = {};

  /** @param {{retry(): void, spending: import("./usage-popover.js").SpendingPanel}} intents */
  constructor({ retry, spending }) {
    this.#retry = button("text-button turn-retry", retry, icon("again"), "Retry");
    this.#retry.title = "Answer this anew";
    this.#costs.title = "What each agent took";
    spending.attach(this.#costs, () => this.#usage);
    this.element = h("footer", { class: "ending", hidden: true }, this.#state, this.#retry, this.#costs);
  }

  update(turn) {
    const end = ENDS[turn.status] ?? "";
    const spent = turn.status === "withdrawn" || isPassedOn(turn) ? "" : costs(turn).join(" · ");
    this.#usage = turn.usage ?? {};
    setText(this.#state, end);
    setText(this.#costs, spent);
    this.#costs.hidden = !spent;
    this.#costs.disabled = Object.keys(this.#usage.agents ?? {}).length === 0;
    this.#retry.hidden = !turn.can.has("retry");
    this.#retry.disabled = !turn.can.has("online");
    this.element.hidden = !end && !spent && this.#retry.hidden;
  }
}
