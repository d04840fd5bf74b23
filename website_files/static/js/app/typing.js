/** Telling others that one writes, and forgetting that others do. */

const REPEAT = 3_000; // ms
const FORGET = 6_000; // ms without a repeat

/** Says at most every few seconds that the person writes, and once that they stopped. */
export class TypingSignal {
  #send;
  #now;
  #said = -Infinity; // when it was last said; -Infinity: not writing

  /** @param {(isTyping: boolean) => void} send */
  constructor(send, now = () => Date.now()) {
    this.#send = send;
    this.#now = now;
  }

  /** The person changed the text, sent it (then it is empty) or left it. */
  wrote(isWriting) {
    const wasWriting = this.#said > -Infinity;
    if (!isWriting && !wasWriting) return;
    if (isWriting && this.#now() - this.#said < REPEAT) return;
    this.#said = isWriting ? this.#now() : -Infinity;
    this.#send(isWriting);
  }
}

/** Somebody whose connection was lost never says that they stopped. */
export class TypingMemory {
  #forget;
  #timers = new Map();
  #env;

  /**
   * @param {(name: string) => void} forget
   * @param environment what a test puts in place of the browser's own
   */
  constructor(forget, environment = {}) {
    this.#forget = forget;
    this.#env = {
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer),
      ...environment,
    };
  }

  heard({ name, is_typing: isTyping }) {
    this.#env.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    if (isTyping) this.#timers.set(name, this.#env.setTimeout(() => this.#forget(name), FORGET));
  }

  clear() {
    for (const timer of this.#timers.values()) this.#env.clearTimeout(timer);
    this.#timers.clear();
  }
}
