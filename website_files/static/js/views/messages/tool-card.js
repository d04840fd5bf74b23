/** A tool call: a one-line summary that opens to arguments and result, what the tool prints, and its inner chat. */

import { compact, pretty } from "../../core/format.js";
import { count } from "../../core/session/usage.js";
import { CopyButton } from "../shared/copy-button.js";
import { h, icon, setAttribute, setText } from "../shared/dom.js";
import { LongText } from "../shared/long-text.js";
import { imageOf, thumbnail } from "./image.js";
import { NestedChat } from "./nested-chat.js";
import { Output } from "./output.js";

const STATES = { running: "Running", waiting: "Waiting for your yes", denied: "Denied", ok: "Done", failed: "Failed" };
const THUMBNAILS = 3;

export class ToolCard {
  #name = h("span", { class: "tool-name one-line" });
  #arguments = h("span", { class: "tool-arguments one-line" });
  #thumbnails = h("span", { class: "tool-thumbnails" });
  #state = h("span", { class: "tool-state" });
  #progress = new ProgressBar();
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
    setText(this.#state, STATES[item.state]);
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
    const { name, arguments: given, result, parts, state } = this.#item;
    const images = (parts ?? []).filter((part) => part.kind !== "text").map((part) => imageOf(part, name));
    const words = pretty(result) || (images.length ? "" : outcome(this.#item));
    this.#details.replaceChildren(
      section("Arguments", pretty(given) || "None"),
      words ? section(state === "failed" ? "Error" : "Result", words) : "",
      ...images,
    );
  }
}

function thumbnails({ parts, name }) {
  const images = (parts ?? []).filter((part) => part.kind === "image");
  return images.slice(0, THUMBNAILS).map((image) => thumbnail(image, name));
}

function outcome({ state, result }) {
  if (state === "running" || state === "waiting") return "Not there yet";
  return result === null ? "The turn ended before the tool was done" : "Nothing";
}

function section(title, text) {
  return h(
    "section",
    {},
    h("header", {}, h("h4", {}, title), new CopyButton(() => text, `Copy ${title.toLowerCase()}`).element),
    new LongText(text, title, `${title.toLowerCase()}.txt`).element,
  );
}

/** Progress of a running tool: a bar and a text. */
class ProgressBar {
  #bar = h("progress", { class: "progress-bar", "aria-label": "Progress" });
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
