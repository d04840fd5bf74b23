/** What an agent says, or an operator in its place, and the line that tells who it is. */

import { paintAvatar } from "../shared/avatar.js";
import { withoutImages } from "../../core/content-parts.js";
import { CopyButton } from "../shared/copy-button.js";
import { h, icon, setText } from "../shared/dom.js";
import { clock, displayName, fullTime } from "../../core/format.js";
import { personName } from "../../core/participants.js";
import { pictureOf } from "./image.js";
import { Prose } from "./prose.js";

export class AgentMessage {
  #prose = new Prose();
  #body = h("div", { class: "message-body" }, this.#prose.element);
  #text = "";
  #parts = null;
  element = h(
    "article",
    { class: "message", "data-role": "agent" },
    this.#body,
    h("div", { class: "message-meta" }, new CopyButton(() => withoutImages(this.#text), "Copy answer").element),
  );

  /** @param {import("../../core/session-state.js").Answer} item */
  update({ text, parts = null, sender, state, isOperator = false }) {
    this.#text = text;
    this.element.setAttribute("aria-label", isOperator ? personName(sender) : displayName(sender));
    this.element.dataset.state = state;
    if (isOperator) this.element.dataset.role = "operator";
    if (!parts) this.#prose.update(text);
    else if (parts !== this.#parts) this.#body.replaceChildren(...parts.map((part) => partNode(part, displayName(sender))));
    this.#parts = parts;
  }
}

function partNode(part, sender) {
  if (part.kind !== "text") return pictureOf(part, sender);
  const prose = new Prose();
  prose.update(part.text);
  return prose.element;
}

/** Who speaks from here on, and since when. */
export class SpeakerLine {
  #avatar = h("span", { class: "avatar", "aria-hidden": "true" });
  #name = h("span", { class: "speaker-name" });
  #mark = h("span", { class: "person-mark", hidden: true }, icon("person"), "person");
  #time = h("time", { class: "message-time" });
  element = h("div", { class: "speaker" }, this.#avatar, this.#name, this.#mark, this.#time);

  update({ sender, ts, isOperator = false }) {
    paintAvatar(this.#avatar, sender);
    setText(this.#name, isOperator ? personName(sender) : displayName(sender));
    this.#mark.hidden = !isOperator;
    this.element.classList.toggle("is-person", isOperator);
    setTime(this.#time, ts);
  }
}

export function setTime(element, ts) {
  if (!ts || element.dateTime === ts) return;
  element.dateTime = ts;
  element.title = fullTime(ts);
  element.textContent = clock(ts);
}
