/** What is open now: the server's configuration, the picked agent, one conversation or none. Knows no DOM. */

import { backoff } from "../core/backoff.js";
import { Conversation } from "./conversation.js";
import { Files } from "./files.js";
import * as outbox from "../transport/outbox.js";
import { Past } from "./conversation-list.js";
import {
  addressOf, addressed, createSession, deleteFile, deleteSession, fetchConfig, fetchFiles, fetchSessions, renameSession,
  socketAddress, uploadFile,
} from "../transport/rest-api.js";
import { device, tab } from "../transport/storage.js";
import { Uploads } from "./uploads.js";

const TELLING = new Set([ // what changes the list of conversations
  "user_message", "turn_completed", "input_request", "input_response", "session_renamed",
]);
const BEGUN = "begun"; // the session that this tab began, while its own address may not have got through

export class App {
  config = null;
  picked = null; // the agent that a new conversation will be with
  /** @type {Conversation|null} */
  conversation = null;
  past;
  files;
  uploads;
  isBeginning = false; // a conversation is being made for files that came before the first message
  #listener;
  #configStatus = "connecting";
  #configTries = 0;
  #configTimer = null;

  /** @param {{changed(): void, opened(sessionId: string|null): void, named(sessionId: string): void,
   *   happened(frame: object): void}} listener */
  constructor(listener) {
    this.#listener = listener;
    this.past = new Past(() => listener.changed(), fetchSessions);
    this.files = new Files(() => listener.changed(), fetchFiles);
    this.uploads = new Uploads(() => listener.changed(), ({ sessionId, name, file }, progressed) =>
      uploadFile(sessionId, name, file, this.name, progressed));
  }

  /** "online", "connecting", "offline", "refused" or "deleted" */
  get status() {
    if (this.conversation?.state.isDeleted) return "deleted";
    const status = this.conversation?.status ?? "idle";
    return status === "idle" ? this.#configStatus : status;
  }

  get agent() {
    return this.conversation ? this.conversation.agent : this.picked;
  }

  /** Whether the person may bring files here now. */
  get takesFiles() {
    const { conversation, config, picked, isBeginning } = this;
    if (!conversation) return Boolean(config && picked) && !isBeginning;
    const { sessionId, role, isDeleted } = conversation.state;
    return Boolean(sessionId) && role === "member" && !isDeleted;
  }

  /** What the person is called on this device, "" for nothing. */
  get name() {
    return device.get("name", "");
  }

  // Actions

  async start() {
    clearTimeout(this.#configTimer);
    this.#setConfigStatus("connecting");
    try {
      this.#configure(await fetchConfig());
    } catch {
      this.#setConfigStatus("offline");
      this.#configTimer = setTimeout(() => this.start(), backoff(this.#configTries++));
    }
  }

  reconnect() {
    if (this.conversation) this.conversation.open();
    else this.start();
  }

  networkChanged(isThere) {
    if (this.conversation) this.conversation.networkChanged(isThere);
    else if (isThere && this.#configStatus === "offline") this.start();
  }

  pick(agent) {
    this.picked = agent;
    this.#listener.changed();
  }

  callMe(name) {
    if (name === this.name) return;
    if (name) device.set("name", name);
    else device.remove("name");
    this.conversation?.open();
    this.#listener.changed();
  }

  /** Sends to the open conversation; without one, this message begins it. */
  send(text) {
    if (!this.conversation) this.#begin({ sessionId: null, agent: this.picked, role: "member" });
    this.conversation.send(text);
    this.uploads.clearDone();
  }

  /** Tries again to send what did not get through; what was deleted is gone, so it goes on elsewhere. */
  resend() {
    if (this.conversation.state.isDeleted) this.startOver();
    else this.conversation.resend();
  }

  /** Files for the open conversation; without one, they begin it. */
  async attach(given) {
    try {
      const sessionId = this.conversation?.state.sessionId ?? (await this.#beginWithFiles());
      this.uploads.add(sessionId, given);
    } catch (error) {
      this.uploads.add(null, given.map((each) => ({ ...each, problem: error.message })));
    }
  }

  async deleteFile(path) {
    const { sessionId } = this.conversation.state;
    try {
      await deleteFile(sessionId, path, this.name);
    } catch (error) {
      if (error.code !== "file_unknown") throw error;
    }
    this.files.remove(path);
    this.uploads.forget(sessionId, path);
  }

  /** Shows a session, or the first screen, and puts it in the page's address. */
  open(sessionId) {
    if (addressed().sessionId !== sessionId) history.pushState(null, "", addressOf(sessionId));
    this.showAddressed();
  }

  /** Leaves a conversation that takes no more; what was written in it can be sent in the next. */
  startOver() {
    const { state, agent } = this.conversation;
    const draft = `draft.${state.sessionId}`;
    const unsent = [this.conversation.takeBack(), tab.get(draft, "")].filter(Boolean).join("\n\n");
    tab.remove(draft);
    if (unsent) tab.set("draft.new", unsent);
    this.picked = this.#available(agent)?.name ?? this.picked;
    this.open(null);
  }

  /** Shows what the page's address names: when going back and forth. */
  showAddressed() {
    const { sessionId, agent, role } = addressed();
    if (sessionId && sessionId === this.conversation?.state.sessionId) return;
    this.#leave();
    const unsent = sessionId ? null : outbox.load(null)[0];
    if (agent) this.picked = this.#available(agent)?.name ?? this.picked;
    if (sessionId || unsent) this.#begin({ sessionId, agent: unsent?.agent ?? null, role });
    this.#listener.opened(sessionId);
  }

  async rename(id, title) {
    try {
      await renameSession(id, title, this.name);
      this.past.rename(id, title);
    } catch (error) {
      this.#unlessGone(id, error);
    }
  }

  async delete(id) {
    if (this.conversation?.state.sessionId === id) this.open(null);
    try {
      await deleteSession(id);
      this.past.remove(id);
    } catch (error) {
      this.#unlessGone(id, error);
    }
  }

  // Internal

  /** What is being written goes along. */
  async #beginWithFiles() {
    this.isBeginning = true;
    this.#listener.changed();
    try {
      const { id } = await createSession(this.picked);
      const draft = tab.get("draft.new", "");
      if (draft) tab.set(`draft.${id}`, draft);
      tab.remove("draft.new");
      this.open(id);
      return id;
    } finally {
      this.isBeginning = false;
      this.#listener.changed();
    }
  }

  /** Somebody else deleted it: then it only has to leave the list. */
  #unlessGone(id, error) {
    if (!["session_unknown", "session_deleted"].includes(error.code)) throw error;
    this.past.remove(id);
  }

  #configure(config) {
    const isFirst = !this.config;
    this.config = config;
    this.#configTries = 0;
    const first = this.#available(this.picked) ?? this.#available(config.default_agent) ?? this.#available();
    this.picked = first?.name ?? null;
    this.#setConfigStatus("online");
    this.past.refresh();
    if (!isFirst) return;
    this.#findBegun();
    this.showAddressed();
  }

  /** A reload may overtake the address that a new session has just got: it is found by what this tab remembers. */
  #findBegun() {
    const begun = tab.get(BEGUN);
    const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
    if (begun && isReload && !addressed().sessionId) history.replaceState(null, "", addressOf(begun));
  }

  #available(name) {
    return this.config?.agents.find((agent) => agent.available && (name === undefined || agent.name === name));
  }

  #setConfigStatus(status) {
    this.#configStatus = status;
    this.#listener.changed();
  }

  #begin(which) {
    const conversation = new Conversation(socketAddress(this.config), which, () => this.name, {
      changed: () => this.#listener.changed(),
      confirmed: (content) => conversation === this.conversation && this.#named(content),
      happened: (frame, isLive) => conversation === this.conversation && this.#happened(frame, isLive),
    });
    this.conversation = conversation;
    conversation.open();
  }

  #leave() {
    const { conversation } = this;
    const unsent = conversation && !conversation.state.sessionId ? conversation.takeBack() : "";
    if (unsent) tab.set("draft.new", unsent);
    tab.remove(BEGUN);
    conversation?.close();
    this.conversation = null;
    this.files.open(null);
  }

  #happened(frame, isLive) {
    if (!isLive) return;
    if (TELLING.has(frame.type)) this.past.refresh();
    if (frame.type === "file_changed" || hasChanges(frame)) this.files.refresh();
    if (this.conversation.state.isDeleted) this.#forget();
    this.#listener.happened(frame);
  }

  /** It was deleted, perhaps elsewhere: it leaves the list, and has no files. */
  #forget() {
    this.past.remove(this.conversation.state.sessionId);
    this.files.open(null);
  }

  /** The address names the session from now on, so that a reload or a second tab shows the same. */
  #named({ session_id: sessionId, replaced }) {
    const { sessionId: before, role } = addressed();
    this.files.open(sessionId);
    if (this.past.status === "failed") this.past.refresh(); // the server is back
    if (before === sessionId) return;
    tab.set(BEGUN, sessionId);
    const change = replaced ? "replaceState" : "pushState"; // "back" from a new conversation is the first screen
    history[change](null, "", addressOf(sessionId, role));
    this.#listener.named(sessionId);
  }
}

/** Of a turn that was stopped, nothing is told but its end. */
function hasChanges({ type, content }) {
  return type === "turn_completed" && content.code_changes?.length > 0;
}
