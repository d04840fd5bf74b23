/**
 * One open conversation: its state, its connection and its unsent messages.
 * Each has its own socket, so late frames from one that was left can never end up in another.
 */

import { references } from "../core/attachments.js";
import { beginEdit, unconfirmedEdits } from "../core/session/edits.js";
import { stopTyping } from "../core/session/participants.js";
import { sendAnswer, unsentAnswers } from "../core/session/questions.js";
import { EMPTY, dismiss, forgive, isLive, reduce, runningTurn, write } from "../core/session/session-state.js";
import { Connection } from "../transport/connection.js";
import { newId } from "../transport/ids.js";
import * as outbox from "../transport/outbox.js";
import { TypingExpiry, TypingSignal } from "./typing.js";

const MAX_WORDS = 20; // commands whose words are remembered

export class Conversation {
  /** @type {import("../core/session/session-state.js").State} */
  state;
  agent;
  #who;
  #role; // that was asked for; the server may give less
  #connection;
  #listener;
  #hadAll = false; // whether everything was here before the connection was lost: what is replayed now was missed
  #stopWanted = null; // number of the turn to stop, until it has ended
  #words = new Map(); // by id: what the person wrote with commands that the server may refuse
  #unanswered = []; // commands that may not have arrived; each has an id, so it can safely be sent again
  #signal = new TypingSignal((isTyping) => this.#command("typing", { is_typing: isTyping }, { isAnswered: false }));
  #typists = new TypingExpiry((name) => this.#change(stopTyping(this.state, name)));

  /**
   * @param {string} server the WebSocket's address
   * @param {{sessionId: string|null, agent: string|null, role: string}} which
   * @param {() => string} who returns the person's current name, or ""
   * @param {{changed(): void, confirmed(content: object): void,
   *   happened(frame: object, isLive: boolean, isMissed: boolean): void, lost(): void}} listener `confirmed` is called
   *   before anything is sent; `isMissed` if it happened while there was no connection
   */
  constructor(server, { sessionId, agent, role }, who, listener) {
    this.#listener = listener;
    this.#who = who;
    this.#role = role;
    this.agent = agent;
    const unsent = role === "member" ? outbox.load(sessionId) : []; // those of other roles belong to another tab
    this.state = unsent.reduce(write, { ...EMPTY, sessionId, agent, role });
    this.#connection = new Connection(() => this.#address(server), {
      frame: (frame) => this.#receive(frame),
      status: () => listener.changed(),
      lost: () => listener.lost(),
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

  woken() {
    this.#connection.woken();
  }

  /** @param {import("../core/attachments.js").Attachment[]} attachments */
  send(text, attachments = []) {
    const files = attachments.length ? { attachments } : {};
    const message = { id: newId(), text, ts: new Date().toISOString(), agent: this.agent, ...files };
    if (this.state.role === "member") outbox.add(this.state.sessionId, message);
    this.#change(write(this.state, message));
    this.#post(message);
  }

  /** Sends all pending messages again. */
  resend() {
    const { sessionId, pending } = this.state;
    this.#change(forgive(this.state, newId));
    pending.forEach((message, at) => message.error && this.#keep(sessionId, message, this.state.pending[at]));
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
    return Boolean(this.#once("retry"));
  }

  edit(seq, text) {
    const id = newId();
    const isSent = this.#command("edit", { seq, text, id });
    if (isSent) this.#change(beginEdit(this.state, seq, { id, text, error: null }));
    return isSent;
  }

  rate(seq, score, comment) {
    return this.#said(this.#once("feedback", { seq, score, comment }), comment);
  }

  tick(task, status) {
    return Boolean(this.#once("task", { id: task, status }, "command_id"));
  }

  /** Lets this operator answer instead of the agents. */
  take() {
    return Boolean(this.#once("take"));
  }

  /** Gives the conversation back to the agents, with a note about what they need to know. */
  handBack(note) {
    return this.#said(this.#once("hand_back", { note }), note);
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
    const { sessionId, lastSeq, epoch } = this.state;
    const given = {
      session: sessionId,
      after: sessionId && lastSeq,
      epoch: sessionId && lastSeq && epoch,
      agent: this.agent, // also for the session that replaces this one if it is gone
      name: this.#who(),
      role: this.#role !== "member" && this.#role,
    };
    return `${server}?${new URLSearchParams(Object.entries(given).filter(([, value]) => value))}`;
  }

  #receive(frame) {
    const before = this.state;
    if (frame.type !== "connection_confirmed") this.#unanswered = [];
    this.#change(reduce(before, frame.type === "error" ? this.#withWords(frame) : frame));
    if (frame.type === "connection_confirmed") this.#hadAll = hadAll(before, this.state);
    if (frame.type === "connection_confirmed") this.#confirmed(before.sessionId, frame.content);
    if (frame.type === "user_message") outbox.remove(this.state.sessionId, frame.content?.id);
    if (frame.type === "typing") this.#typists.heard(frame.content);
    if (frame.type === "turn_completed" && frame.turn === this.#stopWanted) this.#stopWanted = null;
    if (this.state !== before) this.#tell(frame);
  }

  #tell(frame) {
    const isNow = isLive(this.state, frame);
    this.#listener.happened(frame, isNow, !isNow && this.#hadAll);
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
    for (const edit of unconfirmedEdits(this.state)) this.#command("edit", edit);
    if (this.#stopWanted) this.#command("stop", { turn: this.#stopWanted });
    if (wanted === sessionId) this.#unanswered.forEach(([type, content]) => this.#command(type, content));
  }

  #post({ text, id, attachments }) {
    this.#command("message", { text, id, ...references(attachments) });
  }

  /** Sends a command that is sent again after a reconnect if nothing was heard since. Returns its id if it was sent. */
  #once(type, content = {}, key = "id") {
    const id = newId();
    const command = { ...content, [key]: id };
    if (!this.#command(type, command)) return null;
    this.#unanswered.push([type, command]);
    return id;
  }

  /** Remembers the words of a command. Returns whether it was sent. */
  #said(id, words) {
    if (id && words) this.#words.set(id, words);
    if (this.#words.size > MAX_WORDS) this.#words.delete(this.#words.keys().next().value);
    return Boolean(id);
  }

  /** Adds to an error the words that the server has refused, so that they are not lost. */
  #withWords(frame) {
    const words = this.#words.get(frame.content?.id);
    return words ? { ...frame, content: { ...frame.content, words } } : frame;
  }

  /** Stores a message under its new id. */
  #keep(sessionId, before, message) {
    outbox.remove(sessionId, before.id);
    outbox.add(sessionId, message);
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

/** Whether a connection that was lost goes on in the same log, of which everything had been replayed. */
function hadAll(before, after) {
  return before.lastSeq > 0 && before.lastSeq >= before.replayUntil && after.lastSeq === before.lastSeq;
}
