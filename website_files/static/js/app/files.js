/**
 * The files of the open conversation, and uploads to it. Knows no DOM.
 *
 * @typedef {{key: string, path: string, size: number, modified: string}} ListedFile
 * @typedef {{key: string, id: string, sessionId: string, name: string, file: File|null, size: number, sent: number,
 *   state: "waiting"|"running"|"done"|"failed", canRetry: boolean, note: string,
 *   attached?: import("../core/attachments.js").Attachment}} Upload `attached` is the file once it is there; `file` is
 *   null if it was uploaded before the page was loaded.
 */

import { t } from "../core/words.js";
import { newId } from "../transport/ids.js";

export const MAX_BYTES = 20 * 1024 * 1024; // the server's limit

/** The server's list of files. */
export class FileList {
  /** @type {ListedFile[]} */
  entries = [];
  problem = ""; // why the list could not be loaded
  #changed;
  #fetch;
  #id = null; // of the session
  #isAsking = false;
  #isStale = false; // something changed since the last request

  /**
   * @param {() => void} changed
   * @param {(id: string) => Promise<{files: object[]}>} fetch
   */
  constructor(changed, fetch) {
    this.#changed = changed;
    this.#fetch = fetch;
  }

  /** Shows the files of a session; none for null. */
  open(sessionId) {
    if (sessionId !== this.#id) this.#show([], "");
    this.#id = sessionId;
    if (sessionId) this.refresh();
  }

  /** Loads the list again. Calls during a request are combined into one more. */
  async refresh() {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#isStale && this.#id) await this.#ask(this.#id);
    this.#isAsking = false;
  }

  /** Removes a deleted file without waiting for the server's list. */
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

  /** Keeps the object of an unchanged file, so that its row is left alone. */
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

let count = 0;

/** Uploads files one after another, and keeps those that go with the next message. */
export class UploadQueue {
  /** @type {Upload[]} */
  entries = [];
  #changed;
  #send;
  #running = null; // { key, cancel }

  /**
   * @param {() => void} changed
   * @param {(upload: Upload, progressed: (sent: number) => void) =>
   *   {done: Promise<{kind: string, path: string, size: number, sha256: string}>, cancel(): void}} send
   */
  constructor(changed, send) {
    this.#changed = changed;
    this.#send = send;
  }

  /** @param {{file: File, name: string, problem?: string}[]} given */
  add(sessionId, given) {
    const entries = given.map(({ file, name, problem = problemOf(file) }) => ({
      key: `upload-${++count}`, id: newId(), sessionId, name, file, size: file.size, sent: 0,
      state: problem ? "failed" : "waiting", canRetry: !problem, note: problem,
    }));
    this.#show([...this.entries, ...entries]);
    this.#next();
  }

  /** Sends a failed upload again. */
  again(key) {
    this.#put(key, { state: "waiting", sent: 0, note: "" });
    this.#next();
  }

  /** Removes an upload, cancelling it if it is still running. */
  dismiss(key) {
    this.#show(this.entries.filter((each) => each.key !== key));
    if (this.#running?.key === key) this.#running.cancel();
  }

  /** Adds files that are there already, unless they are shown. @param {import("../core/attachments.js").Attachment[]} files */
  restore(sessionId, files) {
    const known = this.attached(sessionId).map(({ path }) => path);
    const missing = files.filter(({ path }) => !known.includes(path));
    const entries = missing.map((attached) => ({
      key: `upload-${++count}`, id: newId(), sessionId, name: attached.path, file: null, size: attached.size,
      sent: attached.size, state: "done", canRetry: false, note: "", attached,
    }));
    if (entries.length) this.#show([...this.entries, ...entries]);
  }

  /** The files of a session that go with its next message, each once. */
  attached(sessionId) {
    const done = this.entries.filter((each) => each.sessionId === sessionId && each.attached);
    return [...new Map(done.map(({ attached }) => [attached.path, attached])).values()];
  }

  /** Whether files of this session are still on their way. */
  isBusy(sessionId) {
    const isOnItsWay = ({ state }) => state === "waiting" || state === "running";
    return this.entries.some((each) => each.sessionId === sessionId && isOnItsWay(each));
  }

  /** Removes the finished uploads of a session. */
  clearDone(sessionId) {
    this.#show(this.entries.filter((each) => each.sessionId !== sessionId || each.state !== "done"));
  }

  /** Removes the finished upload of a file that was deleted. */
  forget(sessionId, path) {
    const isMeant = (each) => each.sessionId === sessionId && each.name === path && each.state === "done";
    this.#show(this.entries.filter((each) => !isMeant(each)));
  }

  async #next() {
    const upload = this.entries.find(({ state }) => state === "waiting");
    if (this.#running || !upload) return;
    const { key } = upload;
    this.#put(key, { state: "running" });
    const { done, cancel } = this.#send(upload, (sent) => this.#put(key, { sent }));
    this.#running = { key, cancel };
    try {
      const { kind, path, size, sha256 } = await done;
      const attached = { path, size, sha256, media_type: upload.file.type, sessionId: upload.sessionId };
      this.#put(key, { state: "done", sent: size, note: kind === "modified" ? t`Replaced` : "", attached });
    } catch (error) {
      this.#put(key, { state: "failed", note: error.message });
    }
    this.#running = null;
    this.#next();
  }

  #put(key, change) {
    this.#show(this.entries.map((each) => (each.key === key ? { ...each, ...change } : each)));
  }

  #show(entries) {
    this.entries = entries;
    this.#changed();
  }
}

function problemOf({ size }) {
  return size > MAX_BYTES ? t`Too large: a file may have up to ${MAX_BYTES / 1024 / 1024} MB.` : "";
}
