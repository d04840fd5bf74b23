/**
 * Live list of the conversations that need a person, as an event stream. Reconnects by itself. Knows no DOM.
 *
 * @typedef {{id: string, title: string, agent: string, person: string, state: "asks"|"waiting"|"taken", operator: string,
 *   reason: string, since: string, last: string}} Wanted
 */

import { backoff } from "../core/backoff.js";
import { deskStreamAddress } from "../transport/rest-api.js";
import { Silence } from "../transport/silence.js";

const DIAL_TIME = 10_000; // ms until an attempt counts as failed

export class DeskFeed {
  /** "idle", "connecting", "online" or "offline" */
  status = "idle";
  #name = "";
  #source = null;
  #timer = null;
  #tries = 0;
  #listener;
  #silence = new Silence(() => this.#lost());

  /** @param {{changed(): void, told(desk: {operators: string[], conversations: Wanted[]}): void,
   *   lost(): void}} listener `lost` is called for each stream that ends by itself and each attempt that fails, as a
   *   browser doesn't tell why a server refuses one */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Connects; from then on the operator counts as available. */
  open(name) {
    this.#drop();
    this.#name = name;
    this.#tries = 0;
    this.#become("connecting");
    this.#dial();
  }

  close() {
    this.#drop();
    this.#become("idle");
  }

  /** The tab is looked at again, or the browser has found a network: the stream may be dead. */
  woken() {
    if (this.status === "offline" || this.#silence.isDoubtful) this.open(this.#name);
  }

  /** Automatic retries leave the status alone, so that it doesn't flicker. */
  #dial() {
    this.#source = new EventSource(deskStreamAddress(this.#name));
    this.#source.onopen = () => this.#opened();
    this.#source.onerror = () => this.#lost();
    this.#source.addEventListener("heartbeat", ({ data }) => this.#silence.begin(JSON.parse(data).content.interval));
    this.#source.addEventListener("desk", ({ data }) => (this.#silence.broken(), this.#listener.told(JSON.parse(data))));
    this.#timer = setTimeout(() => this.#lost(), DIAL_TIME);
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.#become("online");
  }

  /** Retries here, because a browser gives up after some failures, and never after silence. */
  #lost() {
    this.#drop();
    this.#listener.lost();
    this.#become("offline");
    this.#timer = setTimeout(() => this.#dial(), backoff(this.#tries++));
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#silence.end();
    this.#source?.close();
    this.#source = null;
  }

  #become(status) {
    if (status === this.status) return;
    this.status = status;
    this.#listener.changed();
  }
}
