/** One turn: what the person wrote, all that the agents did about it, and how it ended. */

import { paintAvatar } from "./avatar.js";
import { h, icon, setText } from "./dom.js";
import { ErrorCard } from "./error-card.js";
import { costs, displayName } from "./format.js";
import { KeyedList } from "./keyed-list.js";
import { AgentMessage, PersonMessage, SpeakerLine } from "./message.js";
import { ToolCard } from "./tool-card.js";

const ITEMS = {
  speaker: () => new SpeakerLine(),
  message: () => new AgentMessage(),
  tool: () => new ToolCard(),
  error: (item) => new ErrorCard(item),
};

const ENDS = {
  stopped: "Stopped",
  failed: "Failed",
  interrupted: "Interrupted: the server went down",
};

export class TurnView {
  #person;
  #items = h("div", { class: "turn-items" });
  #list = new KeyedList(this.#items, (item) => ITEMS[item.kind](item));
  #working = new WorkingLine();
  #ending;

  /** @param {{resend(): void, ask(text: string): void}} intents */
  constructor(intents) {
    this.#person = new PersonMessage(intents.resend);
    this.#ending = new EndingLine(intents.ask);
    this.element = h(
      "section",
      { class: "turn" },
      this.#person.element, this.#items, this.#working.element, this.#ending.element,
    );
  }

  /** @param {import("./session.js").Turn & {isOnline?: boolean}} turn */
  update(turn) {
    this.element.dataset.state = turn.status;
    if (turn.number) this.element.dataset.turn = turn.number;
    this.#person.element.hidden = !turn.message;
    if (turn.message) this.#person.update(turn.message, personState(turn.status), turn.isOnline);
    this.#list.update(withSpeakers(turn.items));
    this.#working.update(turn);
    this.#ending.update(turn);
  }
}

function personState(status) {
  return ["pending", "unsent", "queued"].includes(status) ? status : "done";
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
    this.element.hidden = turn.status !== "running" || last?.state === "streaming";
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
  #again;
  #text = "";

  constructor(ask) {
    const attributes = { type: "button", class: "text-button", onclick: () => ask(this.#text) };
    this.#again = h("button", attributes, icon("again"), "Ask again");
    this.element = h("footer", { class: "ending", hidden: true }, this.#state, this.#costs, this.#again);
  }

  update(turn) {
    const end = ENDS[turn.status] ?? "";
    const spent = costs(turn).join(" · ");
    this.#text = turn.message?.text ?? "";
    setText(this.#state, end);
    setText(this.#costs, spent);
    this.#again.hidden = !end || !this.#text;
    this.element.hidden = !end && !(turn.status === "completed" && spent);
    if (turn.usage) this.#costs.title = tokens(turn.usage);
  }
}

function tokens({ prompt_tokens: read = 0, completion_tokens: written = 0 }) {
  return `${read} tokens read, ${written} written`;
}
