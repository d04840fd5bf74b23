/** One-line views of events in a turn: handoffs, file changes and raw AG2 events. */

import { bytes, compact, displayName } from "../../core/format.js";
import { handoffWords } from "../../core/session/handover.js";
import { t } from "../../core/words.js";
import { fileAddress } from "../../transport/rest-api.js";
import { h, icon, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";

/** A thin line across the conversation where somebody else takes over. */
export class HandoffLine {
  #words = h("span", { class: "handoff-words" });
  element;

  /** @param {import("../../core/session/event-items.js").Handoff} item */
  constructor({ how }) {
    const person = how === "agents" ? null : icon("person");
    this.element = h("p", { class: "handoff-line", "data-kind": how, dir: "auto" }, h("span", {}, person, this.#words));
  }

  update(item) {
    setText(this.#words, handoffWords(item));
  }
}

/** @type {Record<string, (who: string) => string>} what became of files */
const VERBS = { deleted: (who) => t`${who} deleted`, added: (who) => t`${who} added`, wrote: (who) => t`${who} wrote` };

/** Files written by agents or added by people, with links to them. */
export class FilesLine {
  #words = h("span", {});
  #chips = h("span", { class: "file-chips" });
  #list;
  element = h("p", { class: "files-line" }, icon("file"), this.#words, this.#chips);

  /** @param {() => string} sessionId */
  constructor(sessionId) {
    this.#list = new KeyedList(this.#chips, () => new FileChip(sessionId));
  }

  update({ by, verb, items }) {
    setText(this.#words, VERBS[verb](displayName(by)));
    this.#list.update(items);
  }
}

class FileChip {
  #sessionId;
  #name = h("span", { class: "file-name one-line" });
  #size = h("span", { class: "file-size" });
  element = h("span", { class: "file-chip" });

  constructor(sessionId) {
    this.#sessionId = sessionId;
  }

  /** @param {import("../../core/session/event-items.js").WrittenFile} file */
  update({ path, how, size }) {
    const isGone = how === "deleted";
    const href = fileAddress(this.#sessionId(), path);
    const link = { class: "file-link", href, download: true, title: path, "data-file": path };
    setText(this.#name, path);
    setText(this.#size, isGone || size === null ? "" : bytes(size));
    this.element.dataset.kind = how;
    this.element.replaceChildren(isGone ? this.#name : h("a", link, this.#name, this.#size));
  }
}

/** A raw AG2 event: its type and a summary, which open to the full content. */
export class EventLine {
  #type = h("span", { class: "event-type" });
  #about = h("span", { class: "event-about one-line" });
  #json = h("pre", { class: "code-box", tabindex: 0, "aria-label": t`Event` });
  #content = {};
  element = h(
    "details",
    { class: "disclosure disclosure-inline event-line", ontoggle: () => this.#fill() },
    h("summary", {}, icon("event"), this.#type, this.#about),
    this.#json,
  );

  /** @param {import("../../core/session/event-items.js").OtherEvent} item */
  update({ type, content }) {
    const { uuid, within, ...about } = content;
    this.#content = content;
    setText(this.#type, type);
    setText(this.#about, Object.keys(about).length ? compact(about) : "");
    this.#fill();
  }

  #fill() {
    if (this.element.open) setText(this.#json, JSON.stringify(this.#content, null, 2));
  }
}
