/** One turn: what the person wrote, all that the agents did about it, and how it ended. */

import { paintAvatar } from "./avatar.js";
import { button, h, icon, setText } from "./dom.js";
import { ErrorCard } from "./error-card.js";
import { costs, displayName } from "./format.js";
import { KeyedList } from "./keyed-list.js";
import { AgentMessage, SpeakerLine } from "./message.js";
import { PersonMessage } from "./person-message.js";
import { QuestionCard } from "./question-card.js";
import { isOpenQuestion } from "./questions.js";
import { ToolCard } from "./tool-card.js";

const ITEMS = {
  speaker: () => new SpeakerLine(),
  message: () => new AgentMessage(),
  tool: () => new ToolCard(),
  question: (item, intents) => new QuestionCard(item, intents),
  error: (item, { startOver }) => new ErrorCard(item, { startOver }),
};

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

  /** What can be asked of a turn: see main.js. */
  constructor(intents) {
    this.#list = new KeyedList(this.#items, (item) => ITEMS[item.kind](item, intents));
    this.#person = new PersonMessage(intents);
    this.#ending = new EndingLine(intents.retry);
    this.element = h(
      "section",
      { class: "turn" },
      this.#person.element, this.#items, this.#working.element, this.#ending.element,
    );
  }

  /** @param {import("./session.js").Turn & {can: Set<string>}} turn */
  update(turn) {
    this.element.dataset.state = turn.status;
    if (turn.number) this.element.dataset.turn = turn.number;
    this.#person.element.hidden = !turn.message;
    if (turn.message) this.#person.update(turn);
    this.#list.update(withSpeakers(turn.items.map((item) => withRights(item, turn.can))));
    this.#working.update(turn);
    this.#ending.update(turn);
  }
}

/** Whether a question can be answered from here. */
function withRights(item, can) {
  return item.kind === "question" ? { ...item, canAnswer: can.has("answer"), isOnline: can.has("online") } : item;
}

/** Puts a line with the speaker's name where the speaker changes. */
function withSpeakers(items) {
  let last = null;
  return items.flatMap((item) => {
    if (!item.sender || item.sender === last) return [item];
    last = item.sender;
    return [{ kind: "speaker", key: `speaker-${item.key}`, sender: item.sender, ts: item.ts }, item];
  });
}

/** Says that something goes on while there is nothing else to see. */
class WorkingLine {
  #avatar = h("span", { class: "avatar", "aria-hidden": "true" });
  #text = h("span", {});
  #dots = h("span", { class: "dots", "aria-hidden": "true" });
  element = h("div", { class: "working", hidden: true }, this.#avatar, this.#dots, this.#text);

  update(turn) {
    const last = turn.items.at(-1);
    const isSeen = last?.state === "streaming" || turn.items.some(isOpenQuestion);
    this.element.hidden = turn.status !== "running" || isSeen;
    if (this.element.hidden) return;
    const tool = turn.items.findLast((item) => item.state === "running");
    const who = turn.speaker ?? last?.sender ?? turn.agent;
    this.#avatar.hidden = Boolean(last?.sender && last.sender === who);
    paintAvatar(this.#avatar, who);
    setText(this.#text, tool ? `Running ${tool.name}…` : `${displayName(who)} is thinking…`);
  }
}

class EndingLine {
  #state = h("span", { class: "ending-state" });
  #costs = h("span", { class: "ending-costs" });
  #retry;

  constructor(retry) {
    this.#retry = button("text-button turn-retry", retry, icon("again"), "Retry");
    this.#retry.title = "Answer this anew";
    this.element = h("footer", { class: "ending", hidden: true }, this.#state, this.#retry, this.#costs);
  }

  update(turn) {
    const end = ENDS[turn.status] ?? "";
    const spent = turn.status === "withdrawn" ? "" : costs(turn).join(" · ");
    setText(this.#state, end);
    setText(this.#costs, spent);
    this.#retry.hidden = !turn.can.has("retry");
    this.#retry.disabled = !turn.can.has("online");
    this.element.hidden = !end && !spent && this.#retry.hidden;
    if (turn.usage) this.#costs.title = tokens(turn.usage);
  }
}

function tokens({ prompt_tokens: read = 0, completion_tokens: written = 0 }) {
  return `${read} tokens read, ${written} written`;
}
