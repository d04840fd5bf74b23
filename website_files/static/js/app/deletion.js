/** A conversation that was deleted here and can still be brought back. Knows no DOM. */

const TIME = 10_000; // ms until it is deleted on the server

export class Deletion {
  /** @type {{id: string, title: string, isRunning: boolean, wasOpen: boolean}|null} */
  current = null;
  #timer = null;
  #act;

  /** @param {(deleted: {id: string, title: string}) => void} act deletes it for good */
  constructor(act) {
    this.#act = act;
  }

  begin(deleted) {
    this.finish();
    this.current = deleted;
    this.hold(false);
  }

  /** Waits with it while somebody is about to bring it back. */
  hold(isHeld) {
    clearTimeout(this.#timer);
    if (this.current && !isHeld) this.#timer = setTimeout(() => this.finish(), TIME);
  }

  /** Takes it back. @returns what was deleted, or null */
  undo() {
    clearTimeout(this.#timer);
    const { current } = this;
    this.current = null;
    return current;
  }

  /** Deletes it for good, now. */
  finish() {
    const deleted = this.undo();
    if (deleted) this.#act(deleted);
  }
}
