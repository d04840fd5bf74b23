/** Asks the server for Markdown as HTML, many texts at a time, and keeps what it got. */

import { backoff } from "../core/backoff.js";
import { json, request } from "./rest-api.js";

const PATH = "./api/agent-chat/render";
const MAX_TEXTS = 100; // in a request
const MAX_LENGTH = 200_000; // UTF-16 code units in a request, of 1 MiB at most
const MAX_KEPT = 4_000_000; // code units of texts and HTML

/** @typedef {{html: string, lines: number}} Block HTML that is safe to show, and the lines of the text up to its end */

export class Renderer {
  #post;
  #pause;
  #answers = new Map(); // blocks by text, the latest used last
  #kept = 0;
  #waiting = new Map(); // texts to the functions that take their blocks
  #isAsking = false;

  /** Both parameters are replaced in tests. */
  constructor(post = ask, pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))) {
    this.#post = post;
    this.#pause = pause;
  }

  /** The blocks of a text if they are here already, else null. @returns {Block[] | null} */
  kept(text) {
    const blocks = this.#answers.get(text);
    if (!blocks) return null;
    this.#answers.delete(text);
    this.#answers.set(text, blocks);
    return blocks;
  }

  /** Calls `take` with the blocks of a text once they are here: until the server answers, it is asked again. */
  render(text, take) {
    this.#waiting.set(text, [...(this.#waiting.get(text) ?? []), take]);
    if (!this.#isAsking) this.#ask();
  }

  async #ask() {
    this.#isAsking = true;
    await this.#pause(0); // other messages of the same update come along
    for (let tries = 0; this.#waiting.size; ) {
      const texts = this.#next();
      try {
        const answer = await this.#post(texts);
        texts.forEach((text, place) => this.#take(text, answer.texts[place].blocks));
        tries = 0;
      } catch (error) {
        tries += 1;
        await this.#pause(error.retryAfter ? error.retryAfter * 1000 : backoff(tries));
      }
    }
    this.#isAsking = false;
  }

  #next() {
    const texts = [];
    let length = 0;
    for (const text of this.#waiting.keys()) {
      length += text.length;
      if (texts.length && (texts.length === MAX_TEXTS || length > MAX_LENGTH)) break;
      texts.push(text);
    }
    return texts;
  }

  #take(text, blocks) {
    this.#answers.set(text, blocks);
    this.#kept += size(text, blocks);
    for (const [oldest, its] of this.#answers) {
      if (this.#kept <= MAX_KEPT) break;
      this.#answers.delete(oldest);
      this.#kept -= size(oldest, its);
    }
    const takers = this.#waiting.get(text);
    this.#waiting.delete(text);
    for (const take of takers) take(blocks);
  }
}

/** The renderer of this page. */
export const renderer = new Renderer();

function ask(texts) {
  const sent = texts.map((text) => text.toWellFormed?.() ?? text); // half of an emoji may have come
  return request(PATH, { method: "POST", ...json({ texts: sent }) });
}

function size(text, blocks) {
  return blocks.reduce((sum, { html }) => sum + html.length, text.length);
}
