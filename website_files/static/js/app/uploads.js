/**
 * Files on their way to the server, one after another, and how each has fared. Knows no DOM.
 *
 * @typedef {{key: string, sessionId: string, name: string, file: File, sent: number,
 *   state: "waiting"|"running"|"done"|"failed", note: string}} Upload
 */

export const MAX_BYTES = 20 * 1024 * 1024; // the server takes no more

let count = 0;

export class Uploads {
  /** @type {Upload[]} */
  entries = [];
  #changed;
  #send;
  #running = null; // { key, cancel }

  /**
   * @param {() => void} changed
   * @param {(upload: Upload, progressed: (sent: number) => void) =>
   *   {done: Promise<{kind: string}>, cancel(): void}} send
   */
  constructor(changed, send) {
    this.#changed = changed;
    this.#send = send;
  }

  /** @param {{file: File, name: string, problem?: string}[]} given */
  add(sessionId, given) {
    const entries = given.map(({ file, name, problem = problemOf(file) }) => ({
      key: `upload-${++count}`, sessionId, name, file, sent: 0, state: problem ? "failed" : "waiting", note: problem,
    }));
    this.#show([...this.entries, ...entries]);
    this.#next();
  }

  /** Cancels it, if it is still on its way. */
  dismiss(key) {
    this.#show(this.entries.filter((each) => each.key !== key));
    if (this.#running?.key === key) this.#running.cancel();
  }

  /** What has arrived needs no mention any more. */
  clearDone() {
    this.#show(this.entries.filter((each) => each.state !== "done"));
  }

  /** A file was deleted: that it arrived is no longer true. */
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
      const { kind } = await done;
      this.#put(key, { state: "done", sent: upload.file.size, note: kind === "modified" ? "Replaced" : "" });
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
  return size > MAX_BYTES ? `Too large: a file may have up to ${MAX_BYTES / 1024 / 1024} MB.` : "";
}
