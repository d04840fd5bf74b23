/** Model of the chat page: the server's configuration, the selected agent and the open conversation. Knows no DOM. */

import { setAgents } from "../core/appearance.js";
import { backoff } from "../core/backoff.js";
import { firstText } from "../core/session/session-state.js";
import { t } from "../core/words.js";
import * as begun from "../transport/begun.js";
import { NEW_DRAFT, addToNewDraft, draftKey, forgetDrafts, keepDraft, readDraft, takeDraft } from "../transport/drafts.js";
import * as outbox from "../transport/outbox.js";
import { chatAddress, readPageAddress } from "../transport/page-address.js";
import {
  createSession, deleteFile, deleteSession, fetchConfig, fetchFiles, fetchSession, fetchSessions, renameSession,
  socketAddress, uploadFile,
} from "../transport/rest-api.js";
import { acceptInvitation, fetchSharing, putOut } from "../transport/sharing-api.js";
import { device } from "../transport/storage.js";
import { Account } from "./account.js";
import { ConversationList } from "./conversation-list.js";
import { Conversation } from "./conversation.js";
import { Deletion } from "./deletion.js";
import { FileList, UploadQueue } from "./files.js";
import { Pins } from "./pins.js";

/** Events that change the list of conversations. */
const LIST_CHANGES = new Set(["user_message", "turn_completed", "input_request", "input_response", "session_renamed"]);
const GONE = new Set(["session_unknown", "session_deleted"]); // errors of a link that leads nowhere
const FILES = "files"; // the part of a draft's key for what goes with the text

export class ChatApp {
  config = null;
  problem = ""; // the server's sentence if it refused the configuration
  picked = null; // the agent for a new conversation
  /** @type {Conversation|null} */
  conversation = null;
  /** @type {{sessionId: string, isDead: boolean}|null} the address of a conversation while it is looked for, and if it is not there */
  link = null;
  account;
  conversations;
  pins;
  deletion;
  files;
  uploads;
  notice = ""; // what became of an invitation, or of a conversation that this person can no longer see
  isBeginning = false; // a conversation is being created for files attached before the first message
  #listener;
  #configStatus = "connecting";
  #configTries = 0;
  #configTimer = null;
  #leaving = null; // id of a session
  #invitation = ""; // the secret of one that waits for the configuration

  /** @param {{changed(): void, opened(sessionId: string|null): void, named(sessionId: string): void,
   *   happened(frame: object): void, missed(frame: object): void}} listener `missed` is called with what happened
   *   while there was no connection */
  constructor(listener) {
    this.#listener = listener;
    this.account = new Account(() => listener.changed());
    this.conversations = new ConversationList(() => listener.changed(), fetchSessions);
    this.pins = new Pins(() => listener.changed(), fetchSession);
    this.deletion = new Deletion((deleted) => this.#deleteForGood(deleted));
    this.files = new FileList(() => listener.changed(), fetchFiles);
    this.uploads = new UploadQueue(() => (this.#keepAttached(), listener.changed()), ({ id, sessionId, name, file }, progressed) =>
      uploadFile(sessionId, name, file, this.name, id, progressed));
    device.whenChanged((key) => key === "name" && this.#called());
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

  /** Whether files can be attached right now. */
  get takesFiles() {
    const { conversation, config, picked, isBeginning, link } = this;
    if (!conversation) return Boolean(config && picked) && !isBeginning && !link;
    const { sessionId, role, isDeleted } = conversation.state;
    return Boolean(sessionId) && role === "member" && !isDeleted;
  }

  /** The person's name on this device, or ""; whoever has logged in has the name of their account. */
  get name() {
    return this.account.isKnown ? "" : device.get("name", "");
  }

  // Actions

  async start() {
    clearTimeout(this.#configTimer);
    this.#setConfigStatus("connecting");
    try {
      const config = await fetchConfig();
      this.account.begin(config.me);
      this.#configure(config);
    } catch (error) {
      this.problem = error.code ? error.message : "";
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

  /** The tab is looked at again. */
  woken() {
    if (this.conversation) this.conversation.woken();
    else if (this.#configStatus === "offline") this.start();
  }

  pick(agent) {
    this.picked = agent;
    this.#listener.changed();
  }

  callMe(name) {
    if (name === this.name) return;
    if (name) device.set("name", name);
    else device.remove("name");
    this.#called();
  }

  /** Changes the person's account; the others get to know it. */
  async changeAccount(changes) {
    await this.account.change(changes);
    this.conversation?.open();
  }

  /** The files that go with the next message. */
  get attached() {
    return this.uploads.attached(this.#sessionId);
  }

  /** Whether files for the next message are still on their way. */
  get isUploading() {
    return this.isBeginning || this.uploads.isBusy(this.#sessionId);
  }

  /** Sends a message to the open conversation, or starts one with it. */
  send(text, attached = []) {
    if (!this.conversation) this.#begin({ sessionId: null, agent: this.picked, role: "member" });
    this.conversation.send(text, attached);
    if (attached.length) this.uploads.clearDone(this.#sessionId);
  }

  /** Retries unsent messages. If the conversation was deleted, they go into a new one. */
  resend() {
    if (this.conversation.state.isDeleted) this.startOver();
    else this.conversation.resend();
  }

  /** Uploads files to the open conversation, or starts one for them. */
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

  /** Opens a session, or the first screen, and updates the page's address. */
  open(sessionId) {
    if (readPageAddress().sessionId !== sessionId) history.pushState(null, "", chatAddress(sessionId));
    this.showPageAddress();
  }

  /** Leaves a conversation that has ended and carries unsent text over to a new one. */
  startOver() {
    const { state, agent } = this.conversation;
    addToNewDraft(this.conversation.takeBack(), takeDraft(draftKey(state.sessionId)));
    this.picked = this.#available(agent)?.name ?? this.picked;
    this.open(null);
  }

  /** Leaves a link that leads nowhere and carries what was written there over to a new conversation. */
  leaveDeadLink() {
    const { sessionId } = this.link;
    const unsent = outbox.load(sessionId);
    unsent.forEach(({ id }) => outbox.remove(sessionId, id));
    addToNewDraft(...unsent.map(({ text }) => text), takeDraft(draftKey(sessionId)));
    this.open(null);
  }

  /** Opens whatever the page's address names; also called on back and forward. */
  async showPageAddress() {
    const { sessionId, agent, role } = readPageAddress();
    if (sessionId && sessionId === this.conversation?.state.sessionId) return;
    const isEmpty = begun.isEmpty(sessionId); // the server has nothing of it to show yet
    this.#leave();
    const unsent = sessionId ? null : outbox.load(null)[0];
    if (agent) this.picked = this.#available(agent)?.name ?? this.picked;
    if (sessionId && !isEmpty) return this.#lookFor(sessionId, role);
    if (sessionId || unsent) this.#begin({ sessionId, agent: unsent?.agent ?? null, role });
    this.#listener.opened(sessionId);
  }

  async rename(id, title) {
    try {
      await renameSession(id, title, this.name);
      this.pins.rename(id, title);
      this.conversations.rename(id, title);
    } catch (error) {
      this.#unlessGone(id, error);
    }
  }

  /** Deletes a conversation. It can be brought back for a while. @param {{id: string, title: string, isRunning: boolean}} entry */
  delete(entry) {
    const wasOpen = this.conversation?.state.sessionId === entry.id;
    this.deletion.begin({ ...entry, wasOpen });
    this.conversations.hide(entry.id);
    if (wasOpen) this.open(null);
  }

  /** Brings the conversation back that was deleted last. @returns its id, or null */
  undoDelete() {
    const deleted = this.deletion.undo();
    if (!deleted) return null;
    this.conversations.hide(deleted.id, false);
    if (deleted.wasOpen && !this.conversation) this.open(deleted.id);
    return deleted.id;
  }

  /** Accepts an invitation, as soon as the server is there, and opens its conversation. */
  async join(secret) {
    if (!this.config) return void (this.#invitation = secret);
    this.tell("");
    try {
      const { session_id: id } = await acceptInvitation(secret);
      this.conversations.refresh();
      if (this.conversation?.state.sessionId === id) this.conversation.open(); // perhaps with another role
      else this.open(id);
    } catch (error) {
      this.tell(error.message);
    }
  }

  /** Shows a notice; an empty one goes away. */
  tell(notice) {
    this.notice = notice;
    this.#listener.changed();
  }

  /** Leaves a conversation that somebody has shared. @param you the person's id, if it is known */
  async leave(id, you) {
    this.#leaving = id;
    try {
      await putOut(id, you ?? (await fetchSharing(id)).you);
    } catch (error) {
      if (!["session_unknown", "member_unknown"].includes(error.code)) throw error; // out already
    }
    this.#drop(id);
  }

  /** Removes a conversation that this person can no longer see from the page. */
  #drop(id) {
    this.pins.remove(id);
    if (this.conversation?.state.sessionId === id) this.startOver();
    this.conversations.remove(id);
  }

  // Internal

  get #sessionId() {
    return this.conversation?.state.sessionId ?? null;
  }

  /** Keeps the files of the next message with its text. */
  #keepAttached() {
    const { attached } = this;
    if (this.#sessionId) keepDraft(draftKey(this.#sessionId, FILES), attached.length ? attached : "");
  }

  /** The person has another name, which connections begin with. */
  #called() {
    this.conversation?.open();
    this.#listener.changed();
  }

  /** Creates a conversation for files; the draft moves along. */
  async #beginWithFiles() {
    this.isBeginning = true;
    this.#listener.changed();
    try {
      const { id } = await createSession(this.picked);
      keepDraft(draftKey(id), takeDraft(NEW_DRAFT));
      this.open(id);
      return id;
    } finally {
      this.isBeginning = false;
      this.#listener.changed();
    }
  }

  async #deleteForGood({ id, title }) {
    this.#listener.changed();
    try {
      await deleteSession(id);
      forgetDrafts(id);
      this.pins.remove(id);
      this.conversations.remove(id);
    } catch (error) {
      if (GONE.has(error.code)) return this.conversations.remove(id);
      this.conversations.hide(id, false);
      this.tell(t`“${title}” is still there. ${error.message}`);
    }
  }

  /** If somebody else deleted the session, it only has to leave the list. */
  #unlessGone(id, error) {
    if (!["session_unknown", "session_deleted"].includes(error.code)) throw error;
    this.conversations.remove(id);
  }

  #configure(config) {
    const isFirst = !this.config;
    this.config = config;
    setAgents(config.agents);
    this.problem = "";
    this.#configTries = 0;
    const first = this.#available(this.picked) ?? this.#available(config.default_agent) ?? this.#available();
    this.picked = first?.name ?? null;
    this.#setConfigStatus("online");
    this.conversations.refresh();
    if (!isFirst) return;
    begun.findAfterReload();
    this.showPageAddress(); // an invitation doesn't wait for it
    if (this.#invitation) this.join(this.#invitation);
  }

  /** Opens a conversation if the server has it. Without an answer it is opened, too, as it connects again by itself. */
  async #lookFor(sessionId, role) {
    const link = (this.link = { sessionId, isDead: false });
    this.#listener.opened(sessionId);
    const isDead = this.conversations.isHidden(sessionId) || (await fetchSession(sessionId).then(() => false, ({ code }) => GONE.has(code)));
    if (link !== this.link) return; // something else was opened meanwhile
    if (isDead) {
      this.link = { sessionId, isDead };
      this.conversations.remove(sessionId);
    } else {
      this.link = null;
      this.#begin({ sessionId, agent: null, role });
      this.#listener.opened(sessionId);
    }
  }

  #available(name) {
    return this.config?.agents.find((agent) => agent.available && (name === undefined || agent.name === name));
  }

  #setConfigStatus(status) {
    this.#configStatus = status;
    this.#listener.changed();
  }

  #begin(which) {
    const conversation = new Conversation(socketAddress(), which, () => this.name, {
      changed: () => this.#listener.changed(),
      confirmed: (content) => conversation === this.conversation && this.#named(content),
      happened: (frame, ...when) => conversation === this.conversation && this.#happened(frame, ...when),
      lost: () => this.account.check(),
    });
    this.conversation = conversation;
    conversation.open();
    if (which.sessionId) this.uploads.restore(which.sessionId, readDraft(draftKey(which.sessionId, FILES)) || []);
  }

  #leave() {
    const { conversation } = this;
    if (conversation && !conversation.state.sessionId) addToNewDraft(conversation.takeBack());
    begun.left();
    conversation?.close();
    this.conversation = this.link = null;
    this.files.open(null);
  }

  #happened(frame, isLive, isMissed) {
    if (isMissed) this.#listener.missed(frame);
    if (!isLive) return;
    if (frame.type === "error" && frame.content.code === "access_ended") return void this.#lookAgain(this.conversation);
    if (frame.type === "user_message") begun.written();
    if (LIST_CHANGES.has(frame.type)) this.conversations.refresh();
    if (frame.type === "file_changed" || hasChanges(frame)) this.files.refresh();
    if (this.conversation.state.isDeleted) this.#forget();
    this.#listener.happened(frame);
  }

  /** The server has ended the connection: this person is out, or something else about them has changed. */
  async #lookAgain(conversation) {
    const { sessionId, title } = conversation.state;
    try {
      await fetchSession(sessionId);
      if (conversation === this.conversation) conversation.open();
    } catch (error) {
      const isOut = error.code === "session_unknown" && sessionId !== this.#leaving;
      if (!isOut || conversation !== this.conversation) return;
      this.#drop(sessionId);
      this.tell(t`You can no longer see “${title || firstText(conversation.state)}”.`);
    }
  }

  /** Removes a deleted conversation from the list, and its files. */
  #forget() {
    this.pins.remove(this.conversation.state.sessionId);
    this.conversations.remove(this.conversation.state.sessionId);
    this.files.open(null);
  }

  /** Puts the session into the page's address, so that a reload or a second tab shows it again. */
  #named({ session_id: sessionId, replaced }) {
    const { sessionId: before, role } = readPageAddress();
    this.files.open(sessionId);
    if (this.conversations.status === "failed") this.conversations.refresh(); // the server is back
    if (before === sessionId) return;
    begun.named(sessionId);
    const change = replaced ? "replaceState" : "pushState"; // going back from a new conversation leads to the first screen
    history[change](null, "", chatAddress(sessionId, role));
    this.#listener.named(sessionId);
  }
}

/** Whether a turn has changed files, or may have: what a stop interrupts is not always noticed in time. */
function hasChanges({ type, content }) {
  return type === "turn_completed" && (content.status !== "completed" || content.code_changes?.length > 0);
}
