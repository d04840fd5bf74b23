/**
 * Which conversations want a human, as the server sends it whenever it changes. Comes back by itself. Knows no DOM.
 *
 * @typedef {{id: string, title: string, agent: string, person: string, state: "waiting"|"taken", operator: string,
 *   reason: string, since: string, last: string}} Wanted
 */

import { backoff } from "../core/backoff.js";
import { deskAddress } from "../transport/rest-api.js";

export class DeskFeed {
  /** "idle", "connecting", "online" or "offline" */
  status = "idle";
  #source = null;
  #timer = null;
  #tries = 0;
  #listener;

  /** @param {{changed(): void, told(desk: {operators: string[], conversations: Wanted[]}): void}} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** From now on the operator of that name counts as there. */
  open(name) {
    this.close();
    this.#become("connecting");
    this.#source = new EventSource(deskAddress(name));
    this.#source.onopen = () => ((this.#tries = 0), this.#become("online"));
    this.#source.onerror = () => this.#lost(name);
    this.#source.addEventListener("desk", ({ data }) => this.#listener.told(JSON.parse(data)));
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#become("idle");
  }

  /** The browser tries again by itself, except after an answer that is no stream. */
  #lost(name) {
    this.#become("offline");
    if (this.#source.readyState !== EventSource.CLOSED) return;
    this.#timer = setTimeout(() => this.open(name), backoff(this.#tries++));
  }

  #become(status) {
    if (status === this.status) return;
    this.status = status;
    this.#listener.changed();
  }
}
