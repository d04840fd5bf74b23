/** Model of the desk page: the operator, the conversations that need a person, and the open one. Knows no DOM. */

import { setAgents } from "../core/appearance.js";
import { backoff } from "../core/backoff.js";
import { Account } from "../app/account.js";
import { Conversation } from "../app/conversation.js";
import { readPageAddress, deskPageAddress } from "../transport/page-address.js";
import { fetchConfig, socketAddress } from "../transport/rest-api.js";
import { device } from "../transport/storage.js";
import { DeskFeed } from "./desk-feed.js";

export class DeskApp {
  /** @type {import("./desk-feed.js").Wanted[]|null} conversations that need a person; null until the server has sent them */
  wanted = null;
  /** @type {string[]} */
  operators = [];
  /** @type {Conversation|null} */
  conversation = null;
  config = null;
  account;
  feed;
  #listener;
  #tries = 0;

  /** @param {{changed(): void, opened(): void, happened(frame: object): void}} listener */
  constructor(listener) {
    this.#listener = listener;
    this.account = new Account(() => listener.changed());
    this.feed = new DeskFeed({
      changed: () => listener.changed(),
      told: ({ operators, conversations }) => {
        this.operators = operators;
        this.wanted = conversations;
        listener.changed();
      },
      lost: () => this.account.check(),
    });
  }

  /** The operator's name: that of their account or, where nobody has to log in, the one on this device, or "". */
  get name() {
    return this.account.isKnown ? this.account.name : device.get("operator", "");
  }

  /**
   * Who has the open conversation: "mine", "other" or "agents"; "waiting" for an operator; "deleted"; "none" while
   * unknown.
   */
  get handoverState() {
    if (!this.conversation || !this.conversation.state.sessionId) return "none";
    const { held, isDeleted, replaced, name } = this.conversation.state;
    if (isDeleted || replaced) return "deleted"; // the session that replaces it is nobody's conversation
    if (name === null) return "none"; // not confirmed by the server yet
    if (!held) return "agents";
    return held.state === "waiting" ? "waiting" : held.operator === name ? "mine" : "other";
  }

  /** The list's entry for the open conversation. */
  get about() {
    return this.wanted?.find(({ id }) => id === this.conversation?.state.sessionId);
  }

  /** True once the server has not answered, until it does. */
  get isUnanswered() {
    return this.#tries > 0;
  }

  // Actions

  async start() {
    try {
      await this.account.load();
    } catch {
      const wait = backoff(this.#tries++);
      this.#listener.changed();
      await new Promise((resolve) => setTimeout(resolve, wait));
      return this.start();
    }
    this.#tries = 0;
    await this.#begin();
  }

  /** Changes the operator's account; the others get to know it. */
  async changeAccount(changes) {
    await this.account.change(changes);
    this.reconnect();
  }

  signIn(name) {
    device.set("operator", name);
    this.#leave();
    return this.#begin();
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

  /** The tab is looked at again, or the browser has found a network. */
  woken() {
    this.feed.woken();
    this.conversation?.woken();
  }

  /** Opens a conversation, or none, and updates the page's address. */
  open(sessionId) {
    if (readPageAddress().sessionId !== sessionId) history.pushState(null, "", deskPageAddress(sessionId));
    this.showPageAddress();
  }

  /** Opens whatever the page's address names; also called on back and forward. */
  showPageAddress() {
    const { sessionId } = readPageAddress();
    if (!this.config || sessionId === (this.conversation?.state.sessionId ?? null)) return;
    this.#leave();
    if (sessionId) this.#talk(sessionId);
    this.#listener.opened();
  }

  // Internal

  async #begin() {
    if (!this.name || !this.account.isOperator) return this.#listener.changed();
    this.feed.open(this.name);
    await this.#readConfig();
  }

  async #readConfig() {
    try {
      this.config = await fetchConfig();
      setAgents(this.config.agents);
    } catch {
      setTimeout(() => this.#readConfig(), backoff(this.#tries++));
      return;
    }
    this.#tries = 0;
    this.showPageAddress();
    this.#listener.changed();
  }

  #talk(sessionId) {
    const which = { sessionId, agent: null, role: "operator" };
    const conversation = new Conversation(socketAddress(), which, () => this.name, {
      changed: () => this.#listener.changed(),
      confirmed: () => {},
      happened: (frame, isLive) => isLive && conversation === this.conversation && this.#listener.happened(frame),
      lost: () => this.account.check(),
    });
    this.conversation = conversation;
    conversation.open();
  }

  #leave() {
    this.conversation?.close();
    this.conversation = null;
  }
}
