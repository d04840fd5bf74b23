/**
 * Live list of the conversations that need a person, as an event stream. Reconnects by itself. Knows no DOM.
 *
 * @typedef {{id: string, title: string, agent: string, person: string, state: "asks"|"waiting"|"taken", operator: string,
 *   reason: string, since: string, last: string}} Wanted
 */

import { backoff } from "../core/backoff.js";
import { deskStreamAddress } from "../transport/rest-api.js";

export class DeskFeed {
  /** "idle", "connecting", "online" or "offline" */
  status = "idle";
  #source = null;
  #timer = null;
  #tries = 0;
  #listener;

  /** @param {{changed(): void, told(desk: {operators: string[], conversations: Wanted[]}): void,
   *   lost(): void}} listener `lost` is called when the server refuses it */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Connects; from then on the operator counts as available. */
  open(name) {
    this.close();
    this.#become("connecting");
    this.#source = new EventSource(deskStreamAddress(name));
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

  /** Retries if the browser doesn't: it gives up after a response that is not an event stream. */
  #lost(name) {
    this.#become("offline");
    if (this.#source.readyState !== EventSource.CLOSED) return;
    this.#listener.lost();
    this.#timer = setTimeout(() => this.open(name), backoff(this.#tries++));
  }

  #become(status) {
    if (status === this.status) return;
    this.status = status;
    this.#listener.changed();
  }
}
