/** A tool call: a one-line summary that opens to arguments and result, what the tool prints, and its inner chat. */

import { compact } from "../../core/format.js";
import { count } from "../../core/session/usage.js";
import { t } from "../../core/words.js";
import { h, icon, setAttribute, setText, setTime } from "../shared/dom.js";
import { imageOf, thumbnail } from "./image.js";
import { NestedChat } from "./nested-chat.js";
import { Output } from "./output.js";
import { section, toolArguments, toolResult } from "./tool-value.js";

const states = () => ({
  running: t`Running`, waiting: t`Waiting for approval`, denied: t`Refused`, ok: t`Done`, failed: t`Failed`, stopped: t`Stopped`,
});
const THUMBNAILS = 3;

export class ToolCard {
  #name = h("span", { class: "tool-name one-line" });
  #arguments = h("span", { class: "tool-arguments one-line" });
  #thumbnails = h("span", { class: "tool-thumbnails" });
  #state = h("span", { class: "tool-state" });
  #progress = new ProgressBar();
  #time = h("time", { class: "tool-time" });
  #details = h("div", { class: "tool-details" });
  #call = h(
    "details",
    { class: "disclosure disclosure-block tool-call", ontoggle: () => this.#fill() },
    h(
      "summary",
      {},
      icon("tool"), this.#name, this.#arguments, this.#thumbnails, this.#state, icon("chevron"), this.#progress.element,
    ),
    this.#details,
  );
  #output = null; // once there is some
  #inner = null;
  #item = null;
  #view;
  element = h("div", { class: "card tool-card" }, this.#call);

  /** @param {(item: object) => object} view creates the view of an item of the inner chat */
  constructor(view) {
    this.#view = view;
  }

  /** @param {import("../../core/session/session-state.js").ToolCall & {inner?: import("../../core/session/inner-chats.js").InnerChat}} item */
  update(item) {
    const before = this.#item;
    this.#item = item;
    this.element.dataset.state = item.state;
    setText(this.#name, item.name);
    setText(this.#arguments, compact(item.arguments));
    setText(this.#state, states()[item.state]);
    this.#progress.update(item.progress);
    if (before?.parts !== item.parts) this.#thumbnails.replaceChildren(...thumbnails(item));
    if (!before || before.result !== item.result || before.state !== item.state) this.#fill();
    if (item.output) this.#showOutput(item.output);
    if (item.inner) this.#showInner(item.inner);
  }

  #showOutput(output) {
    if (!this.#output) {
      this.#output = new Output("disclosure-block");
      this.#call.after(this.#output.element);
    }
    this.#output.update(output);
  }

  #showInner(inner) {
    if (!this.#inner) {
      this.#inner = new NestedChat(this.#view, "disclosure-block");
      this.element.append(this.#inner.element);
    }
    this.#inner.update(inner);
  }

  /** Fills in the details only once they are open, as results can be long. */
  #fill() {
    if (!this.#call.open) return;
    const { name, arguments: given, result, parts, state, ts } = this.#item;
    const images = (parts ?? []).filter((part) => part.kind !== "text").map((part) => imageOf(part, name));
    const title = state === "failed" ? t`Error` : t`Result`;
    const nothing = images.length ? "" : section(title, outcome(this.#item));
    setTime(this.#time, ts);
    this.#details.replaceChildren(
      toolArguments(given),
      result ? toolResult(result, title, name) : nothing,
      ...images,
      ts ? this.#time : "",
    );
  }
}

function thumbnails({ parts, name }) {
  const images = (parts ?? []).filter((part) => part.kind === "image");
  return images.slice(0, THUMBNAILS).map((image) => thumbnail(image, name));
}

function outcome({ state, result }) {
  if (state === "running" || state === "waiting") return t`Not there yet`;
  return result === null ? t`The turn ended before the tool was done` : t`Nothing`;
}

/** Progress of a running tool: a bar and a text. */
class ProgressBar {
  #bar = h("progress", { class: "progress-bar", "aria-label": t`Progress` });
  #text = h("span", { class: "progress-text" });
  #part = h("span", { class: "progress-part" });
  element = h("span", { class: "tool-progress", hidden: true }, this.#bar, this.#text, this.#part);

  /** @param {import("../../core/session/tool-calls.js").Progress|null} progress */
  update(progress) {
    this.element.hidden = !progress;
    if (!progress) return;
    const { done, total, text } = progress;
    setAttribute(this.#bar, "max", total);
    setAttribute(this.#bar, "value", total === null ? null : Math.min(done, total));
    setText(this.#text, text);
    const percent = `${Math.floor((100 * Math.min(done, total)) / total)} %`;
    setText(this.#part, total !== null ? percent : done ? count(done) : "");
  }
}
