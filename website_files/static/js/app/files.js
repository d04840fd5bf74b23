/**
 * The files of the open conversation, as the server lists them. Knows no DOM.
 *
 * @typedef {{key: string, path: string, size: number, modified: string}} File
 */

export class Files {
  /** @type {File[]} */
  entries = [];
  problem = ""; // why the list could not be read
  #changed;
  #fetch;
  #id = null; // of the session
  #isAsking = false;
  #isStale = false; // something changed since it was asked

  /**
   * @param {() => void} changed
   * @param {(id: string) => Promise<{files: object[]}>} fetch
   */
  constructor(changed, fetch) {
    this.#changed = changed;
    this.#fetch = fetch;
  }

  /** Shows those of a session; of none, nothing. */
  open(sessionId) {
    if (sessionId !== this.#id) this.#show([], "");
    this.#id = sessionId;
    if (sessionId) this.refresh();
  }

  /** Asks anew; whatever changed a file, the server's list is right. Many changes at once are asked for once. */
  async refresh() {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#isStale && this.#id) await this.#ask(this.#id);
    this.#isAsking = false;
  }

  /** What was deleted is gone before the server's list says so. */
  remove(path) {
    this.#show(this.entries.filter((file) => file.path !== path), "");
  }

  async #ask(id) {
    this.#isStale = false;
    try {
      const { files } = await this.#fetch(id);
      if (id === this.#id) this.#show(files.map((file) => this.#known(file)), "");
    } catch (error) {
      if (id === this.#id) this.#show(this.entries, error.message);
    }
  }

  /** One that is as it was stays the same object, and its row is left alone. */
  #known(file) {
    const known = this.entries.find(({ path }) => path === file.path);
    const isSame = known && known.size === file.size && known.modified === file.modified;
    return isSame ? known : { ...file, key: file.path };
  }

  #show(entries, problem) {
    this.entries = entries;
    this.problem = problem;
    this.#changed();
  }
}
