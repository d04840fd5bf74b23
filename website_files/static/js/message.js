/** One message: the person's as a bubble, an agent's as text. */

import { paintAvatar } from "./avatar.js";
import { CopyButton } from "./copy-button.js";
import { h, icon, setText } from "./dom.js";
import { clock, displayName, fullTime } from "./format.js";
import { Prose } from "./prose.js";

const NOTES = {
  pending: (isOnline) => (isOnline ? "Sending…" : "Waits for the connection"),
  unsent: () => "Not sent",
  queued: () => "Queued: will be answered next",
};

export class PersonMessage {
  #text = h("div", { class: "bubble", dir: "auto" });
  #time = h("time", { class: "message-time" });
  #note = h("span", { class: "message-note" });
  #again;

  constructor(resend) {
    const attributes = { type: "button", class: "text-button", hidden: true, onclick: resend };
    this.#again = h("button", attributes, icon("again"), "Try again");
    this.element = h(
      "article",
      { class: "message", "data-role": "person", "aria-label": "You" },
      this.#text,
      this.#time,
      h("div", { class: "message-meta" }, this.#note, this.#again),
    );
  }

  /** @param {"pending"|"unsent"|"queued"|"done"} state an unsent one is pending, but waits for the person */
  update({ text, ts }, state, isOnline) {
    setText(this.#text, text);
    setTime(this.#time, ts);
    this.element.dataset.state = state === "unsent" ? "pending" : state;
    setText(this.#note, NOTES[state]?.(isOnline) ?? "");
    this.#again.hidden = state !== "unsent";
  }
}

export class AgentMessage {
  #prose = new Prose();
  #text = "";
  element = h(
    "article",
    { class: "message", "data-role": "agent" },
    this.#prose.element,
    h("div", { class: "message-meta" }, new CopyButton(() => this.#text, "Copy answer").element),
  );

  /** @param {import("./session.js").Answer} item */
  update({ text, sender, state }) {
    this.#text = text;
    this.element.setAttribute("aria-label", displayName(sender));
    this.element.dataset.state = state;
    this.#prose.update(text);
  }
}

/** Who speaks from here on, and since when. */
export class SpeakerLine {
  #avatar = h("span", { class: "avatar", "aria-hidden": "true" });
  #name = h("span", { class: "speaker-name" });
  #time = h("time", { class: "message-time" });
  element = h("div", { class: "speaker" }, this.#avatar, this.#name, this.#time);

  update({ sender, ts }) {
    paintAvatar(this.#avatar, sender);
    setText(this.#name, displayName(sender));
    setTime(this.#time, ts);
  }
}

function setTime(element, ts) {
  if (!ts || element.dateTime === ts) return;
  element.dateTime = ts;
  element.title = fullTime(ts);
  element.textContent = clock(ts);
}
