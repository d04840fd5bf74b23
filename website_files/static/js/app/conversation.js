/**
 * One open conversation: its state, its connection and its unsent messages.
 * Each has its own socket, so late frames from one that was left can never end up in another.
 */

import { stopTyping } from "../core/participants.js";
import { sendAnswer, unsentAnswers } from "../core/questions.js";
import { EMPTY, dismiss, forgive, isLive, reduce, runningTurn, write } from "../core/session-state.js";
import { Connection } from "../transport/connection.js";
import * as outbox from "../transport/outbox.js";
import { TypingExpiry, TypingSignal } from "./typing.js";

export class Conversation {
  /** @type {import("../core/session-state.js").State} */
  state;
  agent;
  #who;
  #connection;
  #listener;
  #stopWanted = null; // number of the turn to stop, until it has ended
  #unanswered = []; // commands that may not have arrived; each has an id, so it can safely be sent again
  #signal = new TypingSignal((isTyping) => this.#command("typing", { is_typing: isTyping }, { isAnswered: false }));
  #typists = new TypingExpiry((name) => this.#change(stopTyping(this.state, name)));

  /**
   * @param {string} server the WebSocket's address
   * @param {{sessionId: string|null, agent: string|null, role: string}} which
   * @param {() => string} who returns the person's current name, or ""
   * @param {{changed(): void, confirmed(content: object): void, happened(frame: object, isLive: boolean): void}}
   *   listener `confirmed` is called before anything is sent
   */
  constructor(server, { sessionId, agent, role }, who, listener) {
    this.#listener = listener;
    this.#who = who;
    this.agent = agent;
    const unsent = role === "member" ? outbox.load(sessionId) : []; // those of other roles belong to another tab
    this.state = unsent.reduce(write, { ...EMPTY, sessionId, agent, role });
    this.#connection = new Connection(() => this.#address(server), {
      frame: (frame) => this.#receive(frame),
      status: () => listener.changed(),
    });
  }

  get status() {
    return this.#connection.status;
  }

  /** Number of the turn being stopped, or null. */
  get stopping() {
    return this.#stopWanted;
  }

  // Actions

  /** Connects, or reconnects to announce a new name. Never for a deleted session, as that would create another. */
  open() {
    if (!this.state.isDeleted) this.#connection.open();
  }

  close() {
    this.#typists.clear();
    this.#connection.close();
  }

  networkChanged(isThere) {
    if (isThere) this.#connection.networkFound();
    else this.#connection.networkLost();
  }

  send(text) {
    const message = { id: newId(), text, ts: new Date().toISOString(), agent: this.agent };
    if (this.state.role === "member") outbox.add(this.state.sessionId, message);
    this.#change(write(this.state, message));
    this.#post(message);
  }

  /** Sends all pending messages again. */
  resend() {
    this.#change(forgive(this.state));
    if (this.status !== "online") return this.open();
    this.state.pending.forEach((message) => this.#post(message));
  }

  /** Withdraws all unsent messages and returns their text. */
  takeBack() {
    const { sessionId, pending } = this.state;
    pending.forEach((message) => outbox.remove(sessionId, message.id));
    this.#change({ ...this.state, pending: [] });
    return pending.map((message) => message.text).join("\n\n");
  }

  /** @returns {boolean} whether it was sent now. Answers are sent again later, but passwords are never stored. */
  answer(requestId, { text, arguments: changed, isSecret = false }) {
    const answer = { text, arguments: changed, id: newId() };
    const sending = isSecret ? { isSecret } : answer;
    const isSent = this.#command("input_response", { request_id: requestId, ...answer });
    if (isSent || !isSecret) this.#change(sendAnswer(this.state, requestId, sending));
    return isSent;
  }

  stop() {
    const turn = runningTurn(this.state);
    if (!turn) return;
    this.#stopWanted = turn.number;
    this.#command("stop", { turn: turn.number });
    this.#listener.changed();
  }

  withdraw(turn) {
    return this.#command("stop", { turn });
  }

  retry() {
    return this.#once("retry");
  }

  edit(seq, text) {
    return this.#once("edit", { seq, text });
  }

  rate(seq, score, comment) {
    return this.#once("feedback", { seq, score, comment });
  }

  tick(task, status) {
    return this.#once("task", { id: task, status }, "command_id");
  }

  /** Lets this operator answer instead of the agents. */
  take() {
    return this.#once("take");
  }

  /** Gives the conversation back to the agents, with a note about what they need to know. */
  handBack(note) {
    return this.#once("hand_back", { note });
  }

  /** Tells others that the person is typing, if anyone else is present. */
  wrote(isWriting) {
    const others = this.state.participants.reduce((sum, { connections = 1 }) => sum + connections, 0) > 1;
    if (others) this.#signal.wrote(isWriting);
  }

  dismiss(key) {
    this.#change(dismiss(this.state, key));
  }

  // Internal

  #address(server) {
    const { sessionId, lastSeq, epoch, role } = this.state;
    const given = {
      session: sessionId,
      after: sessionId && lastSeq,
      epoch: sessionId && lastSeq && epoch,
      agent: this.agent, // also for the session that replaces this one if it is gone
      name: this.#who(),
      role: role !== "member" && role,
    };
    return `${server}?${new URLSearchParams(Object.entries(given).filter(([, value]) => value))}`;
  }

  #receive(frame) {
    const before = this.state;
    if (frame.type !== "connection_confirmed") this.#unanswered = [];
    this.#change(reduce(before, frame));
    if (frame.type === "connection_confirmed") this.#confirmed(before.sessionId, frame.content);
    if (frame.type === "user_message") outbox.remove(this.state.sessionId, frame.content?.id);
    if (frame.type === "typing") this.#typists.heard(frame.content);
    if (frame.type === "turn_completed" && frame.turn === this.#stopWanted) this.#stopWanted = null;
    if (this.state !== before) this.#listener.happened(frame, isLive(this.state, frame));
  }

  #confirmed(wanted, content) {
    const { sessionId, agent, pending } = this.state;
    this.agent = agent;
    this.#listener.confirmed(content);
    if (wanted !== sessionId) outbox.move(wanted, sessionId, pending);
    if (!runningTurn(this.state)) this.#stopWanted = null; // after a restarted log the number means another turn
    pending.filter((message) => !message.error).forEach((message) => this.#post(message));
    for (const { requestId, sending } of unsentAnswers(this.state)) {
      this.#command("input_response", { request_id: requestId, ...sending });
    }
    if (this.#stopWanted) this.#command("stop", { turn: this.#stopWanted });
    if (wanted === sessionId) this.#unanswered.forEach(([type, content]) => this.#command(type, content));
  }

  #post({ text, id }) {
    this.#command("message", { text, id });
  }

  /** Sends a command that is sent again after a reconnect if nothing was heard since. */
  #once(type, content = {}, key = "id") {
    const command = { ...content, [key]: newId() };
    const isSent = this.#command(type, command);
    if (isSent) this.#unanswered.push([type, command]);
    return isSent;
  }

  #command(type, content = {}, options = {}) {
    return this.#connection.send({ type, content }, options);
  }

  #change(state) {
    if (state === this.state) return;
    this.state = state;
    this.#listener.changed();
  }
}

function newId() {
  return crypto.randomUUID?.() ?? randomId();
}

/** Fallback for pages served over plain HTTP from another computer, which lack `crypto.randomUUID`. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
