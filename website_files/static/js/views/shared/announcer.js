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
  #before = Promise.resolve(); // all that happened earlier has been said

  constructor(element) {
    this.#element = element;
  }

  /**
   * Says what happened, after all that happened before: Markdown takes a moment.
   *
   * @param {{type: string, content: object}} event a live event, or one that was missed
   */
  happened(event) {
    const words = announcement(event);
    if (words) this.#before = this.#before.then(async () => this.say(await words)).catch(reportError);
  }

  say(text) {
    if (!text) return;
    const line = document.createElement("p");
    line.textContent = text;
    this.#element.append(line);
    while (this.#element.children.length > 5) this.#element.firstElementChild.remove();
  }
}

/** The words for an event, a promise of them, or nothing. */
function announcement({ type, content }) {
  if (type === "text" && content.message_id && !content.within) return answer(content);
  if (type === "tool_call" && !content.within) return answer(content);
  if (type === "handoff" && !content.within) return handoffWords({ ...content, how: content.kind });
  if (type === "input_request") return question(content);
  if (type === "error") return content.message;
  if (type === "turn_completed") return endWords(content.status) ?? content.notice;
}

/** An answer is whole by now; it may come with calls of tools, or consist of them. */
async function answer({ sender, content, operator, notice = "" }) {
  const text = withoutImages(wordsOf(partsOf(content)));
  const result = codeResult(text);
  const words = [result ? codeOutcome(result) : await plain(text), notice].filter(Boolean).join(" ");
  return words && `${operator ? personName(sender) : displayName(sender)}: ${words}`;
}

async function question({ agent, prompt = "", tool }) {
  if (tool) return t`${tool.name} waits for your yes.`;
  return repliesTo(prompt) ? humanPrompt(prompt) : t`${displayName(agent)} asks: ${await plain(prompt)}`;
}

function endWords(status) {
  return {
    stopped: t`The answer was stopped.`, failed: t`The answer failed.`, interrupted: t`The answer was interrupted.`,
  }[status];
}

/** Markdown as it is shown, without its marks. @returns {Promise<string>} */
async function plain(text) {
  if (!text.trim()) return "";
  const blocks = await new Promise((take) => renderer.render(text, take));
  return blocks.map(({ html }) => plainText(html)).join("\n");
}
