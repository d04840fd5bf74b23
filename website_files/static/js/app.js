/** What is open now: the server's configuration, the picked agent, one conversation or none. Knows no DOM. */

import { backoff } from "./backoff.js";
import { Conversation } from "./conversation.js";
import * as history from "./history.js";
import * as outbox from "./outbox.js";
import { addressOf, addressed, fetchConfig, socketAddress } from "./server.js";
import { firstText } from "./session.js";
import { tab } from "./storage.js";

export class App {
  config = null;
  past = history.entries(); // past conversations, newest first
  picked = null; // the agent that a new conversation will be with
  /** @type {Conversation|null} */
  conversation = null;
  #listener;
  #configStatus = "connecting";
  #configTries = 0;
  #configTimer = null;

  /** @param {{changed(): void, opened(sessionId: string|null): void, named(sessionId: string): void,
   *   happened(frame: object): void}} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** "online", "connecting", "offline" or "refused" */
  get status() {
    const status = this.conversation?.status ?? "idle";
    return status === "idle" ? this.#configStatus : status;
  }

  get agent() {
    return this.conversation ? this.conversation.agent : this.picked;
  }

  // Actions

  async start() {
    clearTimeout(this.#configTimer);
    this.#setConfigStatus("connecting");
    try {
      this.#configure(await fetchConfig());
    } catch {
      this.#setConfigStatus("offline");
      this.#configTimer = setTimeout(() => this.start(), backoff(this.#configTries++));
    }
  }

  reconnect() {
    if (this.conversation) this.conversation.open();
    else this.start();
  }

  networkChanged(isThere) {
    if (this.conversation) this.conversation.networkChanged(isThere);
    else if (isThere && this.#configStatus === "offline") this.start();
  }

  pick(agent) {
    this.picked = agent;
    this.#listener.changed();
  }

  /** Sends to the open conversation; without one, this message begins it. */
  send(text) {
    if (!this.conversation) this.#begin({ sessionId: null, agent: this.picked });
    this.conversation.send(text);
  }

  /** Shows a session, or the first screen, and puts it in the page's address. */
  open(sessionId) {
    if (addressed().sessionId !== sessionId) window.history.pushState(null, "", addressOf(sessionId));
    this.showAddressed();
  }

  /** Shows what the page's address names: at the start, and when going back and forth. */
  showAddressed() {
    const { sessionId, agent } = addressed();
    if (sessionId && sessionId === this.conversation?.state.sessionId) return;
    this.#leave();
    const isUnsent = !sessionId && outbox.load(null)[0];
    if (agent) this.picked = this.#available(agent)?.name ?? this.picked;
    if (sessionId || isUnsent) this.#begin({ sessionId, agent: isUnsent?.agent ?? null });
    this.#listener.opened(sessionId);
  }

  forget(id) {
    history.forget(id);
    this.readPast();
  }

  /** This tab or another one changed the list. */
  readPast() {
    this.past = history.entries();
    this.#listener.changed();
  }

  // Internal

  #configure(config) {
    const isFirst = !this.config;
    this.config = config;
    this.#configTries = 0;
    const first = this.#available(this.picked) ?? this.#available(config.default_agent) ?? this.#available();
    this.picked = first?.name ?? null;
    this.#setConfigStatus("online");
    if (isFirst) this.showAddressed();
  }

  #available(name) {
    return this.config?.agents.find((agent) => agent.available && (name === undefined || agent.name === name));
  }

  #setConfigStatus(status) {
    this.#configStatus = status;
    this.#listener.changed();
  }

  #begin(which) {
    const conversation = new Conversation(socketAddress(this.config), which, {
      changed: () => this.#listener.changed(),
      happened: (frame, isLive) => conversation === this.conversation && this.#happened(frame, isLive),
    });
    this.conversation = conversation;
    conversation.open();
  }

  #leave() {
    const unsent = this.conversation?.takeBack();
    if (unsent) tab.set("draft.new", unsent);
    this.conversation?.close();
    this.conversation = null;
  }

  #happened(frame, isLive) {
    if (frame.type === "connection_confirmed") this.#named(frame.content);
    if (frame.type === "user_message" && (isLive || frame.turn === 1)) this.#note(frame);
    if (isLive) this.#listener.happened(frame);
  }

  /** The address names the session from now on, so that a reload or a second tab shows the same. */
  #named({ session_id: sessionId, replaced }) {
    if (addressed().sessionId === sessionId) return;
    if (replaced) this.forget(replaced);
    const change = replaced ? "replaceState" : "pushState"; // "back" from a new conversation is the first screen
    window.history[change](null, "", addressOf(sessionId));
    this.#listener.named(sessionId);
  }

  #note({ ts }) {
    const { state, agent } = this.conversation;
    history.touch({ id: state.sessionId, title: firstText(state), agent, at: Date.parse(ts) || Date.now() });
    this.readPast();
  }
}
