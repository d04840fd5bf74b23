/** The list of people who are waiting for an operator, and of those talking to one. */

import { ago, displayName, fullTime } from "../core/format.js";
import { personName } from "../core/session/participants.js";
import { t } from "../core/words.js";
import { deskPageAddress } from "../transport/page-address.js";
import { h, onPlainClick, setAttribute, setText } from "../views/shared/dom.js";
import { KeyedList } from "../views/shared/keyed-list.js";

export class DeskList {
  #groups;
  #note;

  /** @param {(id: string) => void} open */
  constructor(element, open) {
    this.#note = element.querySelector(".desk-note");
    this.#groups = ["asks", "waiting", "taken"].map((state) => {
      const group = element.querySelector(`[data-group="${state}"]`);
      return { state, group, list: new KeyedList(group.querySelector("ul"), () => new DeskEntry(open)) };
    });
  }

  /** @param {import("./desk-feed.js").Wanted[]|null} wanted */
  update(wanted, current, name, isOffline) {
    for (const { state, group, list } of this.#groups) {
      const entries = (wanted ?? []).filter((each) => each.state === state);
      group.hidden = entries.length === 0;
      setText(group.querySelector(".desk-count"), String(entries.length));
      list.update(entries.map((each) => ({ ...each, key: each.id, isCurrent: each.id === current, name })));
    }
    setText(this.#note, note(wanted, isOffline));
  }
}

class DeskEntry {
  #person = h("span", { class: "desk-person one-line", dir: "auto" });
  #since = h("time", { class: "desk-since" });
  #reason = h("span", { class: "desk-reason clamp", dir: "auto" });
  #last = h("span", { class: "desk-last clamp", dir: "auto" });
  #id = "";
  #link;
  element;

  constructor(open) {
    const head = h("span", { class: "desk-entry-head" }, this.#person, this.#since);
    this.#link = h("a", { class: "list-row desk-entry" }, head, this.#reason, this.#last);
    this.#link.addEventListener("click", (event) => onPlainClick(event, () => open(this.#id)));
    this.element = h("li", {}, this.#link);
  }

  update({ id, title, agent, person, state, operator, reason, since, last, isCurrent, name }) {
    this.#id = id;
    this.element.dataset.state = state;
    setText(this.#person, personName(person));
    setText(this.#since, ago(Date.parse(since) || Date.now()));
    this.#since.dateTime = since;
    this.#since.title = fullTime(since);
    const whose = operator === name ? t`You are talking` : t`With ${operator}`;
    setText(this.#reason, state === "taken" ? whose : reason || title || displayName(agent));
    setText(this.#last, last ? `“${last}”` : "");
    setAttribute(this.#link, "href", deskPageAddress(id));
    setAttribute(this.#link, "aria-current", isCurrent ? "page" : null);
  }
}

function note(wanted, isOffline) {
  if (isOffline) return t`The server does not answer. This list goes on as soon as it does.`;
  return wanted?.length === 0 ? t`Nobody waits. Whoever asks for a person appears here at once.` : "";
}
