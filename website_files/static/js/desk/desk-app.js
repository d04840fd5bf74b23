/** What is open on the operator's desk: who sits there, who waits, one conversation or none. Knows no DOM. */

import { backoff } from "../core/backoff.js";
import { Conversation } from "../app/conversation.js";
import { DeskFeed } from "./desk-feed.js";
import { addressed, deskPageOf, fetchConfig, socketAddress } from "../transport/rest-api.js";
import { device } from "../transport/storage.js";

export class DeskApp {
  /** @type {import("./desk-feed.js").Wanted[]|null} those that want a human; null while nobody told */
  wanted = null;
  /** @type {string[]} */
  operators = [];
  /** @type {Conversation|null} */
  conversation = null;
  config = null;
  feed;
  #listener;
  #tries = 0;

  /** @param {{changed(): void, opened(): void, happened(frame: object): void}} listener */
  constructor(listener) {
    this.#listener = listener;
    this.feed = new DeskFeed({
      changed: () => listener.changed(),
      told: ({ operators, conversations }) => {
        this.operators = operators;
        this.wanted = conversations;
        listener.changed();
      },
    });
  }

  /** What the operator is called on this device, "" for nobody yet. */
  get name() {
    return device.get("operator", "");
  }

  /** "waiting"; "mine", "other" or "agents" for who has it; "deleted"; "none" while nobody said so. */
  get standing() {
    if (!this.conversation || !this.conversation.state.sessionId) return "none";
    const { held, isDeleted, replaced, name } = this.conversation.state;
    if (isDeleted || replaced) return "deleted"; // what stands for it is nobody's conversation
    if (name === null) return "none"; // before the server said so
    if (!held) return "agents";
    return held.state === "waiting" ? "waiting" : held.operator === name ? "mine" : "other";
  }

  /** What the list says of the open conversation. */
  get about() {
    return this.wanted?.find(({ id }) => id === this.conversation?.state.sessionId);
  }

  // Actions

  async start() {
    if (!this.name) return this.#listener.changed();
    this.feed.open(this.name);
    await this.#readConfig();
  }

  signIn(name) {
    device.set("operator", name);
    this.#leave();
    return this.start();
  }

  signOut() {
    device.remove("operator");
    this.feed.close();
    this.wanted = null;
    this.#leave();
    this.#listener.changed();
  }

  reconnect() {
    this.feed.open(this.name);
    this.conversation?.open();
  }

  /** Shows a conversation, or none, and puts it in the page's address. */
  open(sessionId) {
    if (addressed().sessionId !== sessionId) history.pushState(null, "", deskPageOf(sessionId));
    this.showAddressed();
  }

  /** Shows what the page's address names: when going back and forth. */
  showAddressed() {
    const { sessionId } = addressed();
    if (!this.config || sessionId === (this.conversation?.state.sessionId ?? null)) return;
    this.#leave();
    if (sessionId) this.#begin(sessionId);
    this.#listener.opened();
  }

  // Internal

  async #readConfig() {
    try {
      this.config = await fetchConfig();
    } catch {
      setTimeout(() => this.#readConfig(), backoff(this.#tries++));
      return;
    }
    this.#tries = 0;
    this.showAddressed();
    this.#listener.changed();
  }

  #begin(sessionId) {
    const which = { sessionId, agent: null, role: "operator" };
    const conversation = new Conversation(socketAddress(this.config), which, () => this.name, {
      changed: () => this.#listener.changed(),
      confirmed: () => {},
      happened: (frame, isLive) => isLive && conversation === this.conversation && this.#listener.happened(frame),
    });
    this.conversation = conversation;
    conversation.open();
  }

  #leave() {
    this.conversation?.close();
    this.conversation = null;
  }
}
