/**
 * One turn: the person's message, what the agents did, and how it ended.
 *
 * @typedef {import("../../core/session/session-state.js").Turn} Turn
 * @typedef {import("../../core/session/turn-presentation.js").Level} Level
 */

import { displayName } from "../../core/format.js";
import { isOpenQuestion } from "../../core/session/questions.js";
import { isPassedOn, lastAnswer, visibleItems } from "../../core/session/turn-presentation.js";
import { usageSummary } from "../../core/session/usage.js";
import { t, tn } from "../../core/words.js";
import { paintAgent } from "../shared/agent-avatar.js";
import { button, createAvatar, h, icon, setText } from "../shared/dom.js";
import { LatestItems } from "../shared/latest-items.js";
import { AgentMessage, SpeakerLine } from "./agent-message.js";
import { ChangesCard } from "./changes-card.js";
import { CodeResult } from "./code-result.js";
import { ErrorCard } from "./error-card.js";
import { EventLine, FilesLine, HandoffLine } from "./event-lines.js";
import { FoldedSteps } from "./folded-steps.js";
import { NestedChat, NestedChatStart } from "./nested-chat.js";
import { TurnOutput } from "./output.js";
import { PersonMessage } from "./person-message.js";
import { QuestionCard } from "./question-card.js";
import { Reasoning } from "./reasoning.js";
import { ToolCard } from "./tool-card.js";

const ENDS = {
  stopped: () => t`Stopped`,
  failed: () => t`Failed`,
  interrupted: () => t`Interrupted: the server went down`,
};

/** AG2's events before the result of code. */
const RUNS_CODE = new Set(["generate_code_execution_reply", "execute_code_block"]);

export class TurnView {
  #person;
  #items;
  #working = new WorkingLine();
  #ending;
  #message = null;
  #shown = []; // blocks

  /** @param intents the actions on a turn; see chat.js */
  constructor(intents) {
    this.#items = new LatestItems((item) => itemView(item, intents));
    this.#person = new PersonMessage(intents);
    this.#ending = new EndingLine(intents);
    this.element = h(
      "section",
      { class: "turn" },
      this.#person.element, this.#items.earlier, this.#items.element, this.#working.element, this.#ending.element,
    );
  }

  /** @param {Turn & {can: Set<string>, level: Level, me: string|null}} turn */
  update(turn) {
    const answer = turn.can.has("rate") ? lastAnswer(turn) : null;
    const items = turn.items.map((item) => withRights(item, turn, answer));
    const isLive = turn.status === "running" && !turn.can.has("replayed");
    const shown = visibleItems({ ...turn, items }, turn.level, isLive);
    this.element.dataset.state = turn.status;
    if (turn.number) this.element.dataset.turn = turn.number;
    this.#message = turn.message;
    this.#shown = shown;
    this.#person.element.hidden = !turn.message;
    if (turn.message) this.#person.update(turn);
    this.#items.update(shown);
    this.#working.update(turn, shown);
    this.#ending.update(turn);
  }

  /** The element of what was said with that `seq`, or of the inner chat around it, or of the turn if it is not shown. */
  placeOf(seq) {
    if (this.#message?.seq === seq) return this.#person.element;
    const block = this.#shown.find((each) => holds(each, seq));
    return block ? this.#items.view(block.key).element : this.element;
  }
}

function holds(block, seq) {
  return block.seq === seq || (block.items ?? block.inner?.items ?? []).some((each) => holds(each, seq));
}

/** Adds to a question whether the person may answer it, and to the answer that they may rate it. */
function withRights(item, { can, me }, answer) {
  const isOnline = can.has("online");
  if (item.kind === "question") return { ...item, canAnswer: can.has(item.by ? `answer as ${item.by}` : "answer"), isOnline };
  return item === answer ? { ...item, canRate: true, isOnline, me } : item;
}

/** Shows that an agent is at work while nothing else does. */
class WorkingLine {
  #avatar = createAvatar();
  #text = h("span", {});
  #dots = h("span", { class: "dots", "aria-hidden": "true" });
  element = h("div", { class: "working", hidden: true }, this.#avatar, this.#dots, this.#text);

  /** @param {object[]} shown the visible blocks */
  update(turn, shown) {
    const isSeen = isStreaming(shown) || turn.items.some(isOpenQuestion);
    this.element.hidden = turn.status !== "running" || isSeen || isPassedOn(turn);
    if (this.element.hidden) return;
    const newest = shown.at(-1);
    const who = turn.speaker ?? newest?.sender ?? turn.agent;
    this.#avatar.hidden = Boolean(newest?.sender && newest.sender === who);
    paintAgent(this.#avatar, who);
    setText(this.#text, work(turn.items) ?? t`${displayName(who)} is thinking…`);
  }
}

/** Whether an answer can be seen as it is written, in whatever inner chat. */
function isStreaming(blocks) {
  return blocks.some((block) => block.state === "streaming" || isStreaming(block.items ?? block.inner?.items ?? []));
}

/** Says which tools or code run, or returns null. */
function work(items) {
  const tools = items.filter((item) => item.state === "running");
  if (tools.length) return tools.length === 1 ? t`Running ${tools[0].name}…` : tn(tools.length, "Running {n} tool…", "Running {n} tools…");
  return RUNS_CODE.has(items.at(-1)?.type) ? t`Running code…` : null;
}

/** How the turn ended, its duration and its usage. */
class EndingLine {
  #state = h("span", { class: "ending-state" });
  #duration = h("span", {});
  #costs = h("span", { class: "ending-more" });
  #usageSummary = button("text-button ending-costs", () => {}, this.#duration, this.#costs);
  #continue;
  #retry;
  #usage = {};

  /** @param {{retry(): void, continueAnswer(): void, usagePopover: import("./usage-popover.js").UsagePopover}} intents */
  constructor({ retry, continueAnswer, usagePopover }) {
    this.#continue = button("text-button turn-continue", continueAnswer, icon("chevron"), t`Continue`);
    this.#continue.title = t`Ask for the rest of this answer`;
    this.#retry = button("text-button turn-retry", retry, icon("again"), t`Retry`);
    this.#retry.title = t`Answer this again`;
    this.#usageSummary.title = t`What each agent took`;
    usagePopover.attach(this.#usageSummary, () => this.#usage);
    this.element = h(
      "footer",
      { class: "ending", hidden: true },
      this.#state, this.#continue, this.#retry, this.#usageSummary,
    );
  }

  update(turn) {
    const isTold = turn.status === "failed" && turn.items.some(({ kind }) => kind === "error");
    const end = isTold ? "" : (ENDS[turn.status]?.() ?? "");
    const [spent = "", ...more] = turn.status === "withdrawn" || isPassedOn(turn) ? [] : usageSummary(turn);
    this.#usage = turn.usage ?? {};
    setText(this.#state, end);
    setText(this.#duration, spent);
    setText(this.#costs, more.map((each) => ` · ${each}`).join(""));
    this.#usageSummary.hidden = !spent;
    this.#usageSummary.disabled = Object.keys(this.#usage.agents ?? {}).length === 0;
    for (const [action, element] of [["continue", this.#continue], ["retry", this.#retry]]) {
      element.hidden = !turn.can.has(action);
      element.disabled = !turn.can.has("online");
    }
    this.element.hidden = !end && !spent && this.#retry.hidden;
  }
}

const VIEWS = {
  speaker: () => new SpeakerLine(),
  message: (item, { rate }) => new AgentMessage(rate),
  reasoning: () => new Reasoning(),
  tool: (item, intents) => new ToolCard((each) => itemView(each, intents)),
  "folded-steps": (item, intents) => new FoldedSteps((each) => itemView(each, intents)),
  output: () => new TurnOutput(),
  "code-result": () => new CodeResult(),
  question: (item, intents) => new QuestionCard(item, intents),
  error: (item, { startOver }) => new ErrorCard(item, { startOver }),
  handoff: (item) => new HandoffLine(item),
  files: (item, { sessionId }) => new FilesLine(sessionId),
  changes: (item, { sessionId }) => new ChangesCard(sessionId),
  "nested-chat": (item, intents) => new NestedChat((each) => itemView(each, intents)),
  "chat-start": () => new NestedChatStart(),
  event: () => new EventLine(),
  notice: () => new TurnNotice(),
};

/** Creates the view of an item or block. */
function itemView(item, intents) {
  return VIEWS[item.kind](item, intents);
}

/** Says why there is no answer. */
class TurnNotice {
  element = h("p", { class: "turn-notice", dir: "auto" });

  update({ notice }) {
    setText(this.element, notice);
  }
}
