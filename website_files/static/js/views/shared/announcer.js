/** Announces finished messages and events to screen readers, never single tokens. */

import { codeOutcome, codeResult } from "../../core/session/code-results.js";
import { partsOf, withoutImages, wordsOf } from "../../core/content-parts.js";
import { displayName } from "../../core/format.js";
import { handoffWords } from "../../core/session/handover.js";
import { personName } from "../../core/session/participants.js";
import { humanPrompt, repliesTo } from "../../core/session/questions.js";
import { t } from "../../core/words.js";
import { renderer } from "../../transport/rendering-api.js";
import { plainText } from "../prose/blocks.js";

export class Announcer {
  #element;

  constructor(element) {
    this.#element = element;
  }

  /** @param {{type: string, content: object}} event a live event, not a replayed one */
  happened({ type, content }) {
    if (type === "text" && content.message_id && !content.within) this.#read(content);
    if (type === "tool_call" && !content.within) this.say(content.notice);
    if (type === "handoff" && !content.within) this.say(handoffWords({ ...content, how: content.kind }));
    if (type === "input_request") this.#ask(content);
    if (type === "error") this.say(content.message);
    if (type === "turn_completed") this.say(endWords(content.status) ?? content.notice);
  }

  /** An answer is whole by now. */
  #read({ sender, content, operator, notice = "" }) {
    const name = operator ? personName(sender) : displayName(sender);
    const say = (words) => this.say((words || notice) && `${name}: ${`${words} ${notice}`.trim()}`);
    const text = withoutImages(wordsOf(partsOf(content)));
    const result = codeResult(text);
    if (result) say(codeOutcome(result));
    else plain(text, say);
  }

  #ask({ agent, prompt = "", tool }) {
    if (tool) this.say(t`${tool.name} waits for your yes.`);
    else if (repliesTo(prompt)) this.say(humanPrompt(prompt));
    else plain(prompt, (words) => this.say(t`${displayName(agent)} asks: ${words}`));
  }

  say(text) {
    if (!text) return;
    const line = document.createElement("p");
    line.textContent = text;
    this.#element.append(line);
    while (this.#element.children.length > 5) this.#element.firstElementChild.remove();
  }
}

function endWords(status) {
  return {
    stopped: t`The answer was stopped.`, failed: t`The answer failed.`, interrupted: t`The answer was interrupted.`,
  }[status];
}

/** Calls `say` with Markdown as it is shown, without its marks. */
function plain(text, say) {
  if (text.trim()) renderer.render(text, (blocks) => say(blocks.map(({ html }) => plainText(html)).join("\n")));
  else say("");
}
