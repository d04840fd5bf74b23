/** Announces finished messages and events to screen readers, never single tokens. */

import { codeOutcome, codeResult } from "../../core/session/code-results.js";
import { partsOf, withoutImages, wordsOf } from "../../core/content-parts.js";
import { displayName } from "../../core/format.js";
import { handoffWords } from "../../core/session/handover.js";
import { personName } from "../../core/session/participants.js";
import { humanPrompt, repliesTo } from "../../core/session/questions.js";

const ENDS = {
  stopped: "The answer was stopped.",
  failed: "The answer failed.",
  interrupted: "The answer was interrupted.",
};

export class Announcer {
  #element;

  constructor(element) {
    this.#element = element;
  }

  /** @param {{type: string, content: object}} event a live event, not a replayed one */
  happened({ type, content }) {
    if (type === "text" && content.message_id && !content.within) this.say(said(content));
    if (type === "tool_call" && !content.within) this.say(content.notice);
    if (type === "handoff" && !content.within) this.say(handoffWords({ ...content, how: content.kind }));
    if (type === "input_request") this.say(asked(content));
    if (type === "error") this.say(content.message);
    if (type === "turn_completed") this.say(ENDS[content.status] ?? content.notice);
  }

  say(text) {
    if (!text) return;
    const line = document.createElement("p");
    line.textContent = text;
    this.#element.append(line);
    while (this.#element.children.length > 5) this.#element.firstElementChild.remove();
  }
}

function said({ sender, content, operator, notice = "" }) {
  const text = withoutImages(wordsOf(partsOf(content)));
  const result = codeResult(text);
  const words = `${result ? codeOutcome(result) : text} ${notice}`.trim();
  return words && `${operator ? personName(sender) : displayName(sender)}: ${words}`;
}

function asked({ agent, prompt = "", tool }) {
  if (tool) return `${tool.name} waits for your yes.`;
  return `${repliesTo(prompt) ? "" : `${displayName(agent)} asks: `}${humanPrompt(prompt)}`;
}
