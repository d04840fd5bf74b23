/** A message from an agent or an operator, and the line that names the speaker. */

import { withoutImages } from "../../core/content-parts.js";
import { displayName } from "../../core/format.js";
import { personName } from "../../core/session/participants.js";
import { t } from "../../core/words.js";
import { CopyButton } from "../shared/copy-button.js";
import { paintAgent } from "../shared/agent-avatar.js";
import { createAvatar, h, icon, iconButton, paintAvatar, setText, setTime } from "../shared/dom.js";
import { Feedback } from "./feedback.js";
import { imageOf } from "./image.js";
import { Prose, renderedProse } from "../prose/prose.js";

export class AgentMessage {
  #prose = new Prose();
  #body = h("div", { class: "message-body" }, this.#prose.element);
  #notice = h("span", {});
  #noticeLine = h("p", { class: "message-notice", dir: "auto", hidden: true }, icon("alert"), this.#notice);
  #copy = new CopyButton(() => withoutImages(this.#text), t`Copy answer`, t`Copy`, () => this.#html()).element;
  #source = h("pre", { class: "message-source", hidden: true, tabindex: 0, role: "group", "aria-label": t`Source` });
  #sourceButton = iconButton("source-button", t`Source`, "source", () => this.#showSource(this.#source.hidden));
  #text = "";
  #parts = null;
  #feedback;

  /** @param {(seq: number, score: number, comment: string) => boolean} rate */
  constructor(rate) {
    this.#feedback = new Feedback(rate);
    const meta = h("div", { class: "message-meta" }, this.#copy, this.#sourceButton, this.#feedback.buttons);
    this.element = h(
      "article",
      { class: "message", "data-role": "agent" },
      this.#body, this.#source, this.#noticeLine, this.#feedback.element, meta,
    );
  }

  /** @param {import("../../core/session/session-state.js").Answer} item */
  update(item) {
    const { text, parts = null, sender, state, isOperator = false, notice = "" } = item;
    const isEmpty = !parts && !text.trim();
    this.#text = text;
    this.element.setAttribute("aria-label", isOperator ? personName(sender) : displayName(sender));
    this.element.dataset.state = state;
    if (isOperator) this.element.dataset.role = "operator";
    if (!parts) this.#prose.update(text, state !== "streaming");
    else if (parts !== this.#parts) this.#body.replaceChildren(...parts.map((part) => partNode(part, displayName(sender))));
    this.#parts = parts;
    this.#copy.hidden = this.#sourceButton.hidden = isEmpty;
    this.#showSource(!this.#source.hidden && !isEmpty);
    this.#body.hidden ||= isEmpty;
    setText(this.#notice, notice);
    this.#noticeLine.hidden = !notice;
    this.#feedback.update(item);
  }

  #showSource(isShown) {
    this.#source.hidden = !isShown;
    this.#body.hidden = isShown;
    this.#sourceButton.setAttribute("aria-pressed", String(isShown));
    if (isShown) setText(this.#source, withoutImages(this.#text));
  }

  /** The answer for programs that take rich text, without what only the page can do. */
  #html() {
    const copied = this.#body.cloneNode(true);
    for (const button of copied.querySelectorAll("figcaption, button, .code-data, .image-save, .footnote-back")) button.remove();
    for (const source of copied.querySelectorAll("pre[hidden]")) source.hidden = false;
    return copied.innerHTML;
  }
}

function partNode(part, sender) {
  return part.kind === "text" ? renderedProse(part.text) : imageOf(part, sender);
}

/** Names the speaker of the messages that follow, and the time. */
export class SpeakerLine {
  #avatar = createAvatar();
  #name = h("span", { class: "speaker-name" });
  #badge = h("span", { class: "person-badge", hidden: true }, icon("person"), t`person`);
  #time = h("time", { class: "message-time" });
  element = h("div", { class: "speaker" }, this.#avatar, this.#name, this.#badge, this.#time);

  update({ sender, ts, isOperator = false }) {
    (isOperator ? paintAvatar : paintAgent)(this.#avatar, sender);
    setText(this.#name, isOperator ? personName(sender) : displayName(sender));
    this.#badge.hidden = !isOperator;
    this.element.classList.toggle("is-person", isOperator);
    setTime(this.#time, ts);
  }
}
