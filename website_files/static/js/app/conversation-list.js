/**
 * The server's list of conversations, newest first, with search and paging. Knows no DOM.
 *
 * @typedef {{id: string, title: string, agent: string, updated: string, status: string,
 *   created: string, role?: string, isUnread?: boolean, found?: {seq: number, text: string}[]}} Entry
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
  #loaded = []; // the entries, with those that are hidden
  #hidden = new Set(); // ids
  #listed = 0; // entries that the server sent, also those that are not shown
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

  /** Reloads everything that is shown, in as many requests as that takes. */
  async refresh() {
    await this.#load(Math.max(this.#listed, PAGE));
  }

  async more() {
    if (this.next) await this.#load(PAGE, this.next);
  }

  async search(query) {
    if (query.trim() === this.query) return;
    this.query = query.trim();
    await this.#load(PAGE);
  }

  /** Loads all that is left. */
  async all() {
    if (this.next) await this.#load(Infinity, this.next);
  }

  /** Removes a deleted conversation without waiting for the server's list. */
  remove(id) {
    this.#show(this.#loaded.filter((entry) => entry.id !== id));
  }

  /** Takes a conversation out of sight, or brings it back to its place. */
  hide(id, hides = true) {
    if (hides) this.#hidden.add(id);
    else this.#hidden.delete(id);
    this.#show(this.#loaded);
  }

  isHidden = (id) => this.#hidden.has(id);

  rename(id, title) {
    this.#show(this.#loaded.map((entry) => (entry.id === id ? { ...entry, title } : entry)));
  }

  /** Notes on each entry whether it is unread. @param {(entry: Entry) => boolean} isUnread */
  mark(isUnread) {
    if (this.entries.every((entry) => Boolean(entry.isUnread) === isUnread(entry))) return;
    this.entries = this.entries.map((entry) => ({ ...entry, isUnread: isUnread(entry) }));
  }

  /** Loads that many entries from a cursor on, or from the start. */
  async #load(count, before = null) {
    const number = ++this.#asked;
    let entries = before ? this.#loaded : [];
    let listed = before ? this.#listed : 0;
    let next = before;
    const end = listed + count;
    try {
      do {
        const from = next ? { before: next } : {};
        const limit = Math.min(Math.max(end - listed, PAGE), MAX_PAGE);
        const page = await this.#fetchPage({ q: this.query, limit, ...from });
        if (number !== this.#asked) return;
        next = page.sessions.length ? (page.next ?? null) : null;
        listed += page.sessions.length;
        entries = [...entries, ...page.sessions.filter(isWorthShowing)];
      } while (next && listed < end);
      this.next = next;
      this.#listed = listed;
      this.status = "ready";
      this.#shownQuery = this.query;
      this.problem = "";
      this.#show(entries);
    } catch (error) {
      if (number !== this.#asked) return;
      this.status = "failed";
      this.problem = error.code ? error.message : "";
      if (this.query !== this.#shownQuery) this.entries = this.#loaded = []; // they are not what was searched for
      this.#changed();
    }
  }

  /** Drops duplicates: an entry that moved to the top between two pages comes twice. */
  #show(entries) {
    this.#loaded = [...new Map(entries.map((entry) => [entry.id, entry])).values()];
    this.entries = this.#loaded.filter(({ id }) => !this.#hidden.has(id));
    this.#changed();
  }
}

/** Leaves out conversations without messages that nobody has named. */
function isWorthShowing({ messages, title }) {
  return messages !== 0 || Boolean(title);
}
