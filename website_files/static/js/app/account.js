/** The person of this page, as the server knows them. Knows no DOM. */

import { changeMe, fetchMe } from "../transport/account-api.js";
import { keepTextsOf } from "../transport/own-texts.js";

const EVERYBODY = "you"; // the id of everybody where nobody has to log in

export class Account {
  /** @type {import("../transport/account-api.js").Me|null} null until the server has told */
  me = null;
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Whether the person has logged in, so that their name is their account's. */
  get isKnown() {
    return this.me !== null && this.me.id !== EVERYBODY;
  }

  get name() {
    return this.me.name || this.me.login;
  }

  /** Whether the person may sit at the desk. */
  get isOperator() {
    return this.me !== null && (!this.isKnown || this.me.roles.includes("operator"));
  }

  async load() {
    this.begin(await fetchMe());
  }

  begin(me) {
    this.#show(me);
    if (this.isKnown) keepTextsOf(this.me.id);
  }

  /**
   * Finds out whether the person is still the same, after the server has ended a connection or refused one, or another
   * tab had the focus. If nobody is logged in, the answer leads to the login page; if somebody else is, the page begins
   * anew.
   */
  async check() {
    const me = await fetchMe().catch(() => null); // without an answer there is nothing to find out
    if (me && this.me && me.id !== this.me.id) location.reload();
  }

  async change(changes) {
    this.#show(await changeMe(changes));
  }

  #show(me) {
    this.me = me;
    this.#changed();
  }
}
