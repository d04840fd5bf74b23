const TOO_LONG = 2.25; // intervals between heartbeats: 45 seconds, unless the server's setting is another one
const DOUBTFUL = 1.25;
const LOOK = 10_000; // ms between looks, so that a computer that wakes up is noticed soon
const SLEPT = 150_000; // ms between two looks that mean the computer was asleep, where there are no heartbeats

/** Notices that nothing has come from the server for so long that the connection is dead. */
export class Silence {
  #interval = 0; // ms
  #heard = 0;
  #timer = null;
  #tooLong;
  #env;

  /** @param {() => void} tooLong @param environment replacements for timers, for tests */
  constructor(tooLong, environment = {}) {
    this.#tooLong = tooLong;
    this.#env = {
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer),
      now: () => Date.now(), // goes on while the computer sleeps, as no other clock does everywhere
      ...environment,
    };
  }

  /** Begins to listen. @param {number} seconds between heartbeats; 0 if the server sends none */
  begin(seconds) {
    this.end();
    this.#interval = seconds * 1000;
    this.#heard = this.#env.now();
    this.#wait();
  }

  /** Something has come. */
  broken() {
    this.#heard = this.#env.now();
  }

  end() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** True if a heartbeat should have come by now. A tab that was asleep need not wait for the second one. */
  get isDoubtful() {
    return this.#timer !== null && this.#interval > 0 && this.#passed > DOUBTFUL * this.#interval;
  }

  get #passed() {
    return this.#env.now() - this.#heard;
  }

  get #limit() {
    return this.#interval ? TOO_LONG * this.#interval : SLEPT;
  }

  #look() {
    if (this.#passed >= this.#limit) {
      this.end();
      return this.#tooLong();
    }
    if (!this.#interval) this.broken(); // silence says nothing then
    this.#wait();
  }

  #wait() {
    const left = Math.max(this.#limit - this.#passed, 0);
    this.#timer = this.#env.setTimeout(() => this.#look(), Math.min(left, LOOK));
  }
}
