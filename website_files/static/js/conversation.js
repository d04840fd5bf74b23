/**
 * One open conversation: its state, its connection, and the messages that still have to get through.
 * Each has its own socket, so what comes late from one that was left can never end up in another.
 */

import { Connection } from "./connection.js";
import * as outbox from "./outbox.js";
import { EMPTY, dismiss, isLive, reduce, runningTurn, write } from "./session.js";

export class Conversation {
  /** @type {import("./session.js").State} */
  state;
  agent;
  #connection;
  #listener;
  #stopWanted = null; // the turn to stop, until it has ended

  /**
   * @param {string} server the WebSocket's address
   * @param {{sessionId: string|null, agent: string|null}} which
   * @param {{changed(): void, happened(frame: object, isLive: boolean): void}} listener
   */
  constructor(server, { sessionId, agent }, listener) {
    this.#listener = listener;
    this.agent = agent;
    this.state = outbox.load(sessionId).reduce(write, { ...EMPTY, sessionId, agent });
    this.#connection = new Connection(() => this.#address(server), {
      frame: (frame) => this.#receive(frame),
      status: () => listener.changed(),
    });
  }

  get status() {
    return this.#connection.status;
  }

  /** The turn whose end was asked for, but has not come yet. */
  get stopping() {
    return this.#stopWanted;
  }

  // Actions

  open() {
    this.#connection.open();
  }

  close() {
    this.#connection.close();
  }

  networkChanged(isThere) {
    if (isThere) this.#connection.networkFound();
    else this.#connection.networkLost();
  }

  send(text) {
    const message = { id: crypto.randomUUID?.() ?? randomId(), text, ts: new Date().toISOString(), agent: this.agent };
    outbox.add(this.state.sessionId, message);
    this.#change(write(this.state, message));
    this.#post(message);
  }

  /** Tries again to send what is still pending. */
  resend() {
    this.#change({ ...this.state, errors: [] });
    if (this.status !== "online") return this.open();
    this.state.pending.forEach((message) => this.#post(message));
  }

  /** What was written for a session that never came to be: nobody has seen it, so it can be written on. */
  takeBack() {
    if (this.state.sessionId) return "";
    this.state.pending.forEach((message) => outbox.remove(null, message.id));
    return this.state.pending.map((message) => message.text).join("\n\n");
  }

  stop() {
    const turn = runningTurn(this.state);
    if (!turn) return;
    this.#stopWanted = turn.number;
    this.#sendStop();
    this.#listener.changed();
  }

  dismiss(key) {
    this.#change(dismiss(this.state, key));
  }

  // Internal

  #address(server) {
    const { sessionId, lastSeq } = this.state;
    const query = new URLSearchParams();
    if (sessionId) query.set("session", sessionId);
    if (sessionId && lastSeq) query.set("after", lastSeq);
    if (this.agent) query.set("agent", this.agent); // also what a new session gets, should this one be gone
    return `${server}?${query}`;
  }

  #receive(frame) {
    const before = this.state;
    this.#change(reduce(before, frame));
    if (frame.type === "connection_confirmed") this.#confirmed(before.sessionId);
    if (frame.type === "user_message") outbox.remove(this.state.sessionId, frame.content?.id);
    if (frame.type === "turn_completed" && frame.turn === this.#stopWanted) this.#stopWanted = null;
    if (this.state !== before) this.#listener.happened(frame, isLive(this.state, frame));
  }

  #confirmed(wanted) {
    const { sessionId, agent, pending } = this.state;
    if (wanted !== sessionId) outbox.move(wanted, sessionId, pending);
    if (!runningTurn(this.state)) this.#stopWanted = null; // a log that starts over has other turns
    this.agent = agent;
    pending.forEach((message) => this.#post(message));
    if (this.#stopWanted) this.#sendStop();
  }

  #post({ text, id }) {
    this.#connection.send({ type: "message", content: { text, id } });
  }

  #sendStop() {
    this.#connection.send({ type: "stop", content: { turn: this.#stopWanted } });
  }

  #change(state) {
    if (state === this.state) return;
    this.state = state;
    this.#listener.changed();
  }
}

/** `crypto.randomUUID` is missing where the page comes over plain http from another computer. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
