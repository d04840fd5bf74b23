/** What an agent says, and the line that tells who it is. */

import { paintAvatar } from "./avatar.js";
import { CopyButton } from "./copy-button.js";
import { h, setText } from "./dom.js";
import { clock, displayName, fullTime } from "./format.js";
import { Prose } from "./prose.js";

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

export function setTime(element, ts) {
  if (!ts || element.dateTime === ts) return;
  element.dateTime = ts;
  element.title = fullTime(ts);
  element.textContent = clock(ts);
}
