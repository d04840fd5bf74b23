/** Typing indicators: sending our own, and expiring those of others. */

const REPEAT = 3_000; // ms
const EXPIRY = 6_000; // ms without a repeat

/** Sends at most one signal every few seconds while the person types, and one when they stop. */
export class TypingSignal {
  #send;
  #now;
  #sent = -Infinity; // time of the last signal; -Infinity when not typing

  /** @param {(isTyping: boolean) => void} send */
  constructor(send, now = () => Date.now()) {
    this.#send = send;
    this.#now = now;
  }

  /** Call whenever the text changes; `isWriting` is false once it is empty. */
  wrote(isWriting) {
    const wasWriting = this.#sent > -Infinity;
    if (!isWriting && !wasWriting) return;
    if (isWriting && this.#now() - this.#sent < REPEAT) return;
    this.#sent = isWriting ? this.#now() : -Infinity;
    this.#send(isWriting);
  }
}

/** Forgets people who stop sending signals, such as after losing their connection. */
export class TypingExpiry {
  #forget;
  #timers = new Map();
  #env;

  /**
   * @param {(name: string) => void} forget
   * @param environment replacements for timers, for tests
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
    if (isTyping) this.#timers.set(name, this.#env.setTimeout(() => this.#forget(name), EXPIRY));
  }

  clear() {
    for (const timer of this.#timers.values()) this.#env.clearTimeout(timer);
    this.#timers.clear();
  }
}
