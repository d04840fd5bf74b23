/** The bar on top: title, level of detail, and connection status. */

import { displayName, shorten } from "../core/format.js";
import { isViewer } from "../core/session/participants.js";
import { firstText } from "../core/session/session-state.js";
import { LEVELS } from "../core/session/turn-presentation.js";
import { t } from "../core/words.js";
import { device } from "../transport/storage.js";
import { paintAgent } from "./shared/agent-avatar.js";
import { button, createAvatar, h, setText } from "./shared/dom.js";
import { InlineForm } from "./shared/inline-form.js";

const APP_NAME = document.title;
const DEFAULT_LEVEL = "tools";
const LEVEL_KEY = "show";

/** The conversation's title in the bar and in the window; clicking it renames the conversation. */
export class TitleBar {
  #element;
  #avatar = createAvatar();
  #words = h("span", { class: "title-words one-line", dir: "auto" });
  #button = button("title-button", () => this.#open(), this.#avatar, this.#words);
  #form = null;
  #id = null; // of the session shown
  #rename;

  /** @param {(id: string, title: string) => Promise} rename */
  constructor(element, rename) {
    this.#element = element;
    this.#rename = rename;
    this.#button.title = t`Rename`;
    element.replaceChildren(this.#button);
  }

  /** @param {import("../app/conversation.js").Conversation|null} conversation @param {string} mark before the window's title
   * @param {string} otherwise the title without a conversation */
  update(conversation, mark, otherwise) {
    const state = conversation?.state;
    const title = (state && (state.title || shorten(firstText(state)) || displayName(conversation.agent))) || otherwise;
    if (this.#form && this.#id !== state?.sessionId) this.#close();
    this.#id = state?.sessionId ?? null;
    setText(this.#words, title);
    this.#avatar.hidden = !conversation;
    if (conversation) paintAgent(this.#avatar, conversation.agent);
    this.#button.disabled = !this.#id || isViewer(state);
    setText(document.querySelector("title"), mark + (conversation ? `${title} · ${APP_NAME}` : APP_NAME));
  }

  /** Lets the person write another title, where that is possible. */
  rename() {
    if (!this.#form && !this.#button.disabled) this.#open();
  }

  #open() {
    this.#form = new InlineForm({
      label: t`Title`,
      value: this.#words.textContent,
      limit: 200,
      done: (title) => this.#save(title.trim()),
      cancel: () => this.#close(),
    });
    this.#element.replaceChildren(this.#form.element);
    this.#form.focus();
  }

  #save(title) {
    const form = this.#form;
    if (!title) return t`A title has at least one letter.`;
    const saved = () => form === this.#form && this.#close();
    this.#rename(this.#id, title).then(saved, (error) => form.explain(error.message));
    return "";
  }

  #close() {
    const hadFocus = this.#element.contains(document.activeElement);
    this.#form = null;
    this.#element.replaceChildren(this.#button);
    if (hadFocus) this.#button.focus();
  }
}

/** Selects how much of the agents' work to show; the choice is kept on this device. */
export class DetailSwitch {
  #select;

  /** @param {() => void} changed */
  constructor(element, changed) {
    this.#select = element.querySelector("select");
    this.#select.append(...LEVELS.map((level) => h("option", { value: level }, levelName(level))));
    this.#select.value = this.level;
    this.#select.addEventListener("change", () => {
      device.set(LEVEL_KEY, this.#select.value);
      changed();
    });
  }

  /** Shows so much from now on. */
  choose(level) {
    this.#select.value = level;
    this.#select.dispatchEvent(new Event("change"));
  }

  /** @returns {import("../core/session/turn-presentation.js").Level} */
  get level() {
    const kept = device.get(LEVEL_KEY, DEFAULT_LEVEL);
    return LEVELS.includes(kept) ? kept : DEFAULT_LEVEL;
  }
}

/** Connection status, with a button to reconnect. */
export class ConnectionStatus {
  #element;
  #label;
  #button;

  constructor(element, reconnect) {
    this.#element = element;
    this.#label = element.querySelector(".status-label");
    this.#button = element.querySelector("button");
    this.#button.addEventListener("click", reconnect);
  }

  /** @param {"online"|"connecting"|"offline"|"refused"|"deleted"} status */
  update(status) {
    this.#element.dataset.status = status;
    setText(this.#label, statusName(status));
    this.#button.hidden = status !== "offline" && status !== "refused";
  }
}

/** A level of detail in words. */
export function levelName(level) {
  return { final: t`Final answers`, agents: t`Agents`, tools: t`Tools`, all: t`All events` }[level];
}

/** Says in the middle of a page that has not begun what the bar says later. */
export function startingWords(status) {
  return status === "offline" ? t`The server does not answer. The page tries again by itself.` : t`Connecting to the server…`;
}

function statusName(status) {
  return {
    online: t`Online`,
    connecting: t`Connecting…`,
    offline: t`Trying again…`,
    refused: t`Not connected`,
    deleted: t`Deleted`,
  }[status];
}
