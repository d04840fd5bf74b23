/**
 * A WebSocket that reconnects by itself. It decides when to dial and when to wait, and looks into three frames only,
 * as they affect dialling: `connection_confirmed`, an `error` that comes before it, and `heartbeat`.
 *
 * Status: "idle" (never opened), "connecting", "online", "offline" (will retry), "refused" (will not).
 */

import { backoff } from "../core/backoff.js";
import { Silence } from "./silence.js";

const DIAL_TIME = 10_000; // ms until an attempt counts as failed
const ANSWER_TIME = 15_000; // ms without any reply to a command until the connection counts as lost
const UNLIKELY = 3; // tries counted as failed when the browser reports that it is offline

export class Connection {
  status = "idle";
  #socket = null;
  #tries = 0;
  #timers = {};
  #isConfirmed = false;
  #isRefused = false;
  #silence;

  /**
   * @param {() => string} address read before every attempt, because it contains the cursor
   * @param {{frame(frame: object): void, status(status: string): void, lost(): void}} listener `lost` is called for each
   *   connection that ends by itself and each attempt that fails, as a browser doesn't tell why a server refuses one
   * @param environment replacements for timers and sockets, for tests
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
    this.#silence = new Silence(() => this.#lost(1006), this.env);
  }

  // Actions

  /** Connects at once, dropping any current connection or attempt. */
  open() {
    this.#drop();
    this.#tries = 0;
    this.#become("connecting");
    this.#dial();
  }

  close() {
    this.#drop();
    this.#become("idle");
  }

  /** @returns {boolean} whether the frame was passed to the network; only a reply proves that it arrived */
  send(frame, { isAnswered = true } = {}) {
    if (this.status !== "online") return false;
    this.#socket.send(JSON.stringify(frame));
    if (isAnswered && !this.#timers.answer) this.#wait("answer", ANSWER_TIME, this.open);
    return true;
  }

  /** Reports the loss at once instead of waiting for a timeout. */
  networkLost() {
    if (this.status === "idle" || this.status === "refused") return;
    this.#tries = Math.max(this.#tries, UNLIKELY);
    this.#lost(1006);
  }

  networkFound() {
    if (this.status === "offline" || this.status === "connecting") this.open();
  }

  /** The tab is looked at again. Its timers may have been suspended, and its socket may be dead. */
  woken() {
    if (this.status === "offline" || this.#silence.isDoubtful) this.open();
  }

  // Internal

  /** Automatic retries leave the status alone, so that it doesn't flicker. */
  #dial() {
    this.#isConfirmed = this.#isRefused = false;
    const socket = (this.#socket = this.env.dial(this.address()));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code);
    this.#wait("dial", DIAL_TIME, () => this.#lost(1006));
  }

  #receive(data) {
    this.#clear("answer");
    this.#silence.broken();
    const frame = parse(data);
    if (!frame || frame.type === "heartbeat") return;
    if (frame.type === "connection_confirmed") this.#confirmed(frame.content);
    else if (frame.type === "error" && !this.#isConfirmed) this.#isRefused = frame.content?.retryable === false;
    this.listener.frame(frame);
  }

  #confirmed({ heartbeat = 0 }) {
    this.#isConfirmed = true;
    this.#tries = 0;
    this.#clear("dial");
    this.#silence.begin(heartbeat);
    this.#become("online");
  }

  #lost(code) {
    this.#drop();
    this.listener.lost();
    if (code === 1008 || this.#isRefused) return this.#become("refused");
    this.#become("offline");
    this.#wait("retry", backoff(this.#tries++, this.env.random), this.#dial);
  }

  #drop() {
    for (const name of ["dial", "retry", "answer"]) this.#clear(name);
    this.#silence.end();
    const socket = this.#socket;
    this.#socket = null; // first, so that its last events are ignored
    socket?.close();
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
