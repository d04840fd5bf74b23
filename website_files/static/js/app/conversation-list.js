/**
 * The server's list of conversations, newest first, as far as it was looked at. Knows no DOM.
 *
 * @typedef {{id: string, title: string, agent: string, updated: string, status: string,
 *   found?: {seq: number, text: string}[]}} Entry
 */

const PAGE = 50;
const LONGEST = 200; // entries that one request may ask for

export class Past {
  /** @type {Entry[]} */
  entries = [];
  query = "";
  next = null; // where the next page begins
  status = "loading"; // or "ready", "failed"
  #changed;
  #fetchPage;
  #asked = 0; // only the answer to the newest request counts

  /**
   * @param {() => void} changed
   * @param {(query: {q: string, before?: string, limit: number}) => Promise<{sessions: Entry[], next: string|null}>}
   *   fetchPage
   */
  constructor(changed, fetchPage) {
    this.#changed = changed;
    this.#fetchPage = fetchPage;
  }

  /** Asks for all that is shown anew. */
  async refresh() {
    const limit = Math.min(Math.max(this.entries.length, PAGE), LONGEST);
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

  /** What was deleted is gone before the server's list says so. */
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
      this.#show([...before, ...sessions.filter(isWorthShowing)]);
    } catch {
      if (number !== this.#asked) return;
      this.status = "failed";
      this.#changed();
    }
  }

  /** One that moved to the top while pages were turned comes twice. */
  #show(entries) {
    this.entries = [...new Map(entries.map((entry) => [entry.id, entry])).values()];
    this.#changed();
  }
}

/** Nothing was said in it, and nobody gave it a name. */
function isWorthShowing({ messages, title }) {
  return messages !== 0 || Boolean(title);
}
