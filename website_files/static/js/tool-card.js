/** A tool call: what was asked on one line, and all of it when the card is opened. */

import { CopyButton } from "./copy-button.js";
import { h, icon, setText } from "./dom.js";
import { compact, pretty } from "./format.js";

const STATES = { running: "Running", waiting: "Waiting for your yes", denied: "Denied", ok: "Done", failed: "Failed" };

export class ToolCard {
  #name = h("span", { class: "tool-name" });
  #arguments = h("span", { class: "tool-arguments" });
  #state = h("span", { class: "tool-state" });
  #details = h("div", { class: "tool-details" });
  #item = null;
  element = h(
    "details",
    { class: "tool-card", ontoggle: () => this.#fill() },
    h("summary", {}, icon("tool"), this.#name, this.#arguments, this.#state, icon("chevron")),
    this.#details,
  );

  /** @param {import("./session.js").ToolCall} item */
  update(item) {
    this.#item = item;
    this.element.dataset.state = item.state;
    setText(this.#name, item.name);
    setText(this.#arguments, compact(item.arguments));
    setText(this.#state, STATES[item.state]);
    this.#fill();
  }

  /** Results can be long: nobody pays for one that is never looked at. */
  #fill() {
    if (!this.element.open) return;
    const { arguments: given, result, state } = this.#item;
    this.#details.replaceChildren(
      section("Arguments", pretty(given) || "None"),
      section(state === "failed" ? "Error" : "Result", pretty(result) || outcome(this.#item)),
    );
  }
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
    h("pre", { tabindex: 0, "aria-label": title }, text),
  );
}
