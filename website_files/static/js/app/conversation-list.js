/**
 * The server's list of conversations, newest first, with search and paging. Knows no DOM.
 *
 * @typedef {{id: string, title: string, agent: string, updated: string, status: string,
 *   found?: {seq: number, text: string}[]}} Entry
 */

const PAGE = 50;
const MAX_PAGE = 200; // entries in one request

export class ConversationList {
  /** @type {Entry[]} */
  entries = [];
  query = "";
  next = null; // cursor of the next page
  status = "loading"; // or "ready", "failed"
  problem = ""; // the server's sentence if it refused to list them
  #changed;
  #fetchPage;
  #shownQuery = ""; // of the entries
  #asked = 0; // number of the latest request; earlier answers are ignored

  /**
   * @param {() => void} changed
   * @param {(query: {q: string, before?: string, limit: number}) => Promise<{sessions: Entry[], next: string|null}>}
   *   fetchPage
   */
  constructor(changed, fetchPage) {
    this.#changed = changed;
    this.#fetchPage = fetchPage;
  }

  /** Reloads everything that is shown. */
  async refresh() {
    const limit = Math.min(Math.max(this.entries.length, PAGE), MAX_PAGE);
    await this.#load({ limit }, []);
  }

  async more() {
    if (this.next) await this.#load({ limit: PAGE, before: this.next }, this.entries);
  }

  async search(query) {
    if (query.trim() === this.query) return;
    this.query = query.trim();
    await this.#load({ limit: PAGE }, []);
  }

  /** Removes a deleted conversation without waiting for the server's list. */
  remove(id) {
    this.#show(this.entries.filter((entry) => entry.id !== id));
  }

  rename(id, title) {
    this.#show(this.entries.map((entry) => (entry.id === id ? { ...entry, title } : entry)));
  }

  async #load(query, before) {
    const number = ++this.#asked;
    try {
      const { sessions, next } = await this.#fetchPage({ q: this.query, ...query });
      if (number !== this.#asked) return;
      this.next = next ?? null;
      this.status = "ready";
      this.#shownQuery = this.query;
      this.problem = "";
      this.#show([...before, ...sessions.filter(isWorthShowing)]);
    } catch (error) {
      if (number !== this.#asked) return;
      this.status = "failed";
      this.problem = error.code ? error.message : "";
      if (this.query !== this.#shownQuery) this.entries = []; // they are not what was searched for
      this.#changed();
    }
  }

  /** Drops duplicates: an entry that moved to the top between two pages comes twice. */
  #show(entries) {
    this.entries = [...new Map(entries.map((entry) => [entry.id, entry])).values()];
    this.#changed();
  }
}

/** Leaves out conversations without messages that nobody has named. */
function isWorthShowing({ messages, title }) {
  return messages !== 0 || Boolean(title);
}
