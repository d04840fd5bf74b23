/**
 * The file that is read beside the conversation: its versions, and what the chosen one contains. Knows no DOM.
 *
 * @typedef {{version: string, kind: string, size: number, ts: string, by: string, turn: number, is_kept: boolean}} Version
 * @typedef {"shown"|"source"|"before"|"now"} Form as what it is, as text, or what differs: from the version before, or now
 */

import { hasSource, kindOf, textOf } from "../core/file-kinds.js";

const MAX_TEXT = 5_000_000; // bytes that are loaded to be shown as text

export class OpenFile {
  sessionId = null;
  path = ""; // "" if none is open
  /** @type {Version[]} */
  versions = []; // those that have a content, newest first
  version = ""; // the digest of the chosen one; "" for the newest one, whichever that is
  /** @type {Form} */
  form = "shown";
  content = null; // { key, text, diff, problem } of what is shown, once it is there
  isDeleted = false;
  problem = "";
  #changed;
  #api;
  #wanted = "shown"; // the form that was last chosen, which not every version has
  #load = 0; // number of the latest request; answers to earlier ones no longer count

  /** @param {{versions(id, path), content(id, path, version, most), diff(id, path, old, now)}} api */
  constructor(changed, api) {
    this.#changed = changed;
    this.#api = api;
  }

  get isOpen() {
    return this.path !== "";
  }

  /** The entry of the chosen version, if the log has one. */
  get entry() {
    return this.version ? this.versions.find(({ version }) => version === this.version) : this.versions[0];
  }

  /** The entry of the one before the chosen one. */
  get before() {
    return this.versions[this.versions.indexOf(this.entry) + 1];
  }

  /** The digest in addresses: of the current one only if the log has it, as programs change files, too. */
  get address() {
    return this.version || (this.entry?.is_kept ? this.entry.version : "");
  }

  /** The forms in which the chosen version can be shown. @returns {Form[]} */
  get forms() {
    const { entry, before } = this;
    return [
      "shown",
      ...(hasSource(this.path) ? ["source"] : []),
      ...(entry?.is_kept && before?.is_kept ? ["before"] : []),
      ...(this.version && this.version !== this.versions[0]?.version && !this.isDeleted ? ["now"] : []),
    ];
  }

  open(sessionId, path) {
    Object.assign(this, { sessionId, path, versions: [], version: "", form: "shown", content: null, isDeleted: false });
    this.#wanted = "shown";
    return this.refresh();
  }

  close() {
    this.#load += 1;
    Object.assign(this, { sessionId: null, path: "", content: null, problem: "" });
    this.#changed();
  }

  choose(version) {
    this.version = version === this.versions[0]?.version ? "" : version;
    this.form = this.forms.includes(this.#wanted) ? this.#wanted : "shown";
    return this.#fetch();
  }

  show(form) {
    this.form = this.#wanted = form;
    return this.#fetch();
  }

  /** Tells of an event of the conversation; what a program has changed is told at the latest when the turn ends. */
  happened({ type, content }) {
    if (type === "turn_completed" || (type === "file_changed" && content.path === this.path)) this.refresh();
  }

  /** Looks again at a file that may have changed. */
  async refresh() {
    if (!this.isOpen) return;
    const { sessionId, path } = this;
    const load = (this.#load += 1);
    this.#changed();
    try {
      const { versions } = await this.#api.versions(sessionId, path);
      if (load !== this.#load) return;
      this.isDeleted = versions[0]?.kind === "deleted";
      this.versions = versions.filter(({ version }, at) => version && !isOlderTwin(versions, at));
      await this.#fetch();
    } catch (error) {
      if (load === this.#load) this.#fail(error.message);
    }
  }

  async #fetch() {
    const { sessionId, path, form, address, entry, version } = this;
    const load = (this.#load += 1);
    const key = [path, address, entry?.ts, form].join("\n");
    if (this.content?.key === key && address) return this.#changed();
    this.#changed();
    try {
      const content = { key, path, version, address, form, text: null, diff: null };
      if (form === "before") content.diff = (await this.#api.diff(sessionId, path, this.before.version, address)).diff;
      else if (form === "now") content.diff = (await this.#api.diff(sessionId, path, version, "")).diff;
      else if (form === "source" || ["markdown", "data", "text"].includes(kindOf(path))) {
        const bytes = await this.#api.content(sessionId, path, address, MAX_TEXT);
        content.text = bytes && textOf(bytes);
      }
      if (load !== this.#load) return;
      Object.assign(this, { content, problem: "" });
      this.#changed();
    } catch (error) {
      if (load === this.#load) this.#fail(error.message);
    }
  }

  #fail(problem) {
    Object.assign(this, { problem, content: null });
    this.#changed();
  }
}

/** Whether a newer entry has the same content. */
function isOlderTwin(versions, at) {
  return versions.findIndex(({ version }) => version === versions[at].version) < at;
}
