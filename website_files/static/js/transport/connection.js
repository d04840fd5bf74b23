/**
 * One WebSocket that comes back by itself. It knows when to dial and when to wait, not what frames mean,
 * except for the two that decide about dialling: `connection_confirmed` and an `error` before it.
 *
 * Status: "idle" (never opened), "connecting", "online", "offline" (will try again), "refused" (will not).
 */

import { backoff } from "../core/backoff.js";

const DIAL_TIME = 10_000; // ms a connection may take before it is tried again
const ANSWER_TIME = 15_000; // ms of silence after something was sent that mean: nobody is there
const UNLIKELY = 3; // so many tries count as made when the browser says that there is no network
const PULSE = 10_000; // ms
const SLEPT = 150_000; // ms between two pulses that mean: the computer slept, and the socket may be dead without a word

export class Connection {
  status = "idle";
  #socket = null;
  #tries = 0;
  #timers = {};
  #isConfirmed = false;
  #isRefused = false;
  #lastPulse = 0;

  /**
   * @param {() => string} address where to dial now; asked anew every time, as the cursor moves
   * @param {{frame(frame: object): void, status(status: string): void}} listener
   * @param environment what a test puts in place of the browser's own
   */
  constructor(address, listener, environment = {}) {
    this.address = address;
    this.listener = listener;
    this.env = {
      dial: (url) => new WebSocket(url),
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer),
      now: () => Date.now(),
      random: Math.random,
      ...environment,
    };
  }

  // Actions

  /** Dials now, whatever is there or is being waited for. */
  open() {
    this.#drop();
    this.#tries = 0;
    this.#lastPulse = this.env.now();
    this.#wait("pulse", PULSE, this.#pulse);
    this.#become("connecting");
    this.#dial();
  }

  close() {
    this.#drop();
    this.#clear("pulse");
    this.#become("idle");
  }

  /** @returns {boolean} whether the frame was handed to the network; that it arrived is for its answer to say */
  send(frame, { isAnswered = true } = {}) {
    if (this.status !== "online") return false;
    this.#socket.send(JSON.stringify(frame));
    if (isAnswered && !this.#timers.answer) this.#wait("answer", ANSWER_TIME, this.open);
    return true;
  }

  /** The browser lost its network: waiting for a time-out would only hide it. */
  networkLost() {
    if (this.status === "idle" || this.status === "refused") return;
    this.#tries = Math.max(this.#tries, UNLIKELY);
    this.#lost(1006);
  }

  networkFound() {
    if (this.status === "offline" || this.status === "connecting") this.open();
  }

  // Internal

  /** A try of its own leaves the status as it is: one that flickers tells nobody anything. */
  #dial() {
    this.#isConfirmed = this.#isRefused = false;
    const socket = (this.#socket = this.env.dial(this.address()));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code);
    this.#wait("dial", DIAL_TIME, () => this.#lost(1006));
  }

  #receive(data) {
    this.#clear("answer");
    const frame = parse(data);
    if (!frame) return;
    if (frame.type === "connection_confirmed") this.#confirmed();
    else if (frame.type === "error" && !this.#isConfirmed) this.#isRefused = frame.content?.retryable === false;
    this.listener.frame(frame);
  }

  #confirmed() {
    this.#isConfirmed = true;
    this.#tries = 0;
    this.#clear("dial");
    this.#become("online");
  }

  #lost(code) {
    this.#drop();
    if (code === 1008 || this.#isRefused) return this.#become("refused");
    this.#become("offline");
    this.#wait("retry", backoff(this.#tries++, this.env.random), this.#dial);
  }

  #drop() {
    for (const name of ["dial", "retry", "answer"]) this.#clear(name);
    const socket = this.#socket;
    this.#socket = null; // first: what this socket still says is no longer heard
    socket?.close();
  }

  #pulse() {
    const slept = this.env.now() - this.#lastPulse > SLEPT;
    this.#lastPulse = this.env.now();
    this.#wait("pulse", PULSE, this.#pulse);
    if (slept && this.status === "online") this.open();
  }

  #become(status) {
    if (status === this.status) return;
    this.status = status;
    this.listener.status(status);
  }

  #wait(name, ms, run) {
    this.#clear(name);
    this.#timers[name] = this.env.setTimeout(() => {
      this.#timers[name] = null;
      run.call(this);
    }, ms);
  }

  #clear(name) {
    if (this.#timers[name]) this.env.clearTimeout(this.#timers[name]);
    this.#timers[name] = null;
  }
}

function parse(data) {
  try {
    const frame = JSON.parse(data);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}
