/**
 * Tells a person who is not looking that an answer is ready or a question waits: by a mark, and if they want so by a
 * notification and a sound. Of several tabs only one notifies, and none while another shows the conversation.
 */

import { newsOf } from "../core/news.js";
import { device } from "../transport/storage.js";

const PATIENCE = 100; // ms for another tab to say that it shows the conversation
const LONG = 20_000; // ms of a turn after which a notification is offered
const CHOICES = ["notify", "sound"];
const REMEMBERED = 50; // news that some tab has told

export class Telling {
  news = null; // the kind of the newest news since the tab was looked at
  isOffered = false; // whether a notification is offered now
  #env;
  #channel;
  #questions = new Map(); // by the key of the news: function to call when another tab shows it
  #timer = null;

  /**
   * @param {{isHidden(): boolean, shown(): string|null, go(news: import("../core/news.js").News): void,
   *   changed(): void, play(): void}} env `shown` is the id of the conversation in this tab
   */
  constructor(env) {
    this.#env = env;
    this.#channel = globalThis.BroadcastChannel ? new BroadcastChannel("agentchat.shown") : null;
    this.#channel?.addEventListener("message", ({ data }) => this.#asked(data));
    device.whenChanged((key) => CHOICES.includes(key) && env.changed());
  }

  get canNotify() {
    return "Notification" in globalThis && globalThis.isSecureContext !== false;
  }

  /** Whether the person wants notifications, and the browser allows them. */
  get notifies() {
    return this.canNotify && device.get("notify", false) && Notification.permission === "granted";
  }

  /** Whether the browser was told never to ask. */
  get isBlocked() {
    return this.canNotify && Notification.permission === "denied";
  }

  get sounds() {
    return device.get("sound", false);
  }

  /** Called from a click, as browsers demand. */
  async setNotifies(isWanted) {
    this.dismissOffer();
    device.set("notify", isWanted);
    if (isWanted && Notification.permission === "default") await Notification.requestPermission();
    this.#env.changed();
  }

  setSounds(isWanted) {
    device.set("sound", isWanted);
    if (isWanted) this.#env.play();
    this.#env.changed();
  }

  dismissOffer() {
    device.set("offered", true);
    this.#offer(false);
  }

  /** @param {object} frame a live event @param {import("../core/session/session-state.js").State} state after it */
  async happened(frame, state) {
    if (frame.type === "turn_started") this.#begun();
    if (frame.type === "turn_completed") this.#ended();
    const news = this.#env.isHidden() ? newsOf(frame, state) : null;
    if (!news || (await this.#isShownElsewhere(news)) || !this.#env.isHidden()) return;
    this.news = news.kind;
    this.#env.changed();
    if ((this.notifies || this.sounds) && (await claim(news.key))) this.#tell(news);
  }

  /** The tab is looked at. */
  looked() {
    if (this.news === null) return;
    this.news = null;
    this.#env.changed();
  }

  /** Another conversation is shown. */
  opened() {
    this.#ended();
    this.looked();
  }

  // Internal

  #tell(news) {
    if (this.sounds) this.#env.play();
    if (!this.notifies) return;
    try {
      const notification = new Notification(news.title, { body: news.text, tag: news.key });
      notification.addEventListener("click", () => (notification.close(), this.#env.go(news)));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // Chrome on Android has none for pages; the mark is there
    }
  }

  #isShownElsewhere({ key, sessionId }) {
    if (!this.#channel) return false;
    return new Promise((resolve) => {
      const done = (isShown) => (this.#questions.delete(key), resolve(isShown));
      this.#questions.set(key, () => done(true));
      this.#channel.postMessage({ key, sessionId });
      setTimeout(() => done(false), PATIENCE);
    });
  }

  #asked({ key, sessionId, isShown }) {
    if (isShown) this.#questions.get(key)?.();
    else if (!this.#env.isHidden() && sessionId && this.#env.shown() === sessionId) {
      this.#channel.postMessage({ key, isShown: true });
    }
  }

  #begun() {
    clearTimeout(this.#timer);
    const isOpen = this.canNotify && Notification.permission === "default" && !device.get("offered", false);
    if (isOpen) this.#timer = setTimeout(() => this.#offer(true), LONG);
  }

  #ended() {
    clearTimeout(this.#timer);
    this.#offer(false);
  }

  #offer(isOffered) {
    if (isOffered === this.isOffered) return;
    this.isOffered = isOffered;
    this.#env.changed();
  }
}

/** Returns whether this tab is the first to tell some news. */
async function claim(key) {
  const isFirst = () => {
    const told = device.get("told", []);
    if (told.includes(key)) return false;
    device.set("told", [...told, key].slice(-REMEMBERED));
    return true;
  };
  return navigator.locks ? navigator.locks.request("agentchat.told", isFirst) : isFirst();
}
