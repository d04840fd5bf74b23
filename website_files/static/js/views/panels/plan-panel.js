/** The task list: what is done, what is in progress, and what is waiting for what. */

import { displayName } from "../../core/format.js";
import { blockers, progress } from "../../core/session/plan.js";
import { t } from "../../core/words.js";
import { h, icon, setAttribute, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";

export class PlanPanel {
  #element;
  #count;
  #bar;
  #list;
  #shown = []; // the arguments of the last update

  /** @param {(id: number, status: string) => boolean} tick returns whether it was sent */
  constructor(element, tick) {
    this.#element = element;
    this.#count = element.querySelector(".plan-count");
    this.#bar = element.querySelector(".plan-bar");
    this.#list = new KeyedList(element.querySelector(".plan-list"), () => new TaskRow(tick));
  }

  /** @param {import("../../core/session/plan.js").Task[]} tasks */
  update(tasks, canTick) {
    if (this.#shown[0] === tasks && this.#shown[1] === canTick) return;
    this.#shown = [tasks, canTick];
    const { done, all } = progress(tasks);
    this.#element.hidden = all === 0;
    setText(this.#count, t`${done} of ${all}`);
    this.#bar.max = all || 1;
    this.#bar.value = done;
    const title = (id) => tasks.find((task) => task.id === id)?.title;
    this.#list.update(tasks.map((task) => ({
      ...task,
      canTick,
      blockers: blockers(task, tasks),
      needs: task.dependsOn.map(title).filter(Boolean),
    })));
  }
}

class TaskRow {
  #box;
  #title = h("span", { class: "task-title", dir: "auto" });
  #note = h("span", { class: "task-note" });
  #details = h("div", { class: "task-details" });
  #more;
  #task = null;
  element;

  constructor(tick) {
    this.#box = h("input", {
      type: "checkbox",
      class: "task-box",
      onchange: () => tick(this.#task.id, this.#box.checked ? "done" : "open") || this.#showStatus(),
    });
    const lock = h("span", { class: "task-lock" }, icon("lock"));
    const summary = h("summary", {}, h("span", { class: "task-words" }, this.#title, this.#note), icon("chevron"));
    this.#more = h("details", { class: "disclosure task-more" }, summary, this.#details);
    this.element = h("li", { class: "task" }, h("span", { class: "task-mark" }, this.#box, lock), this.#more);
  }

  /** @param {import("../../core/session/plan.js").Task & {canTick: boolean, blockers: object[], needs: string[]}} task */
  update(task) {
    this.#task = task;
    const { title, status, canTick, blockers: before } = task;
    this.element.dataset.status = status;
    this.element.toggleAttribute("data-blocked", before.length > 0);
    setText(this.#title, title);
    setText(this.#note, noteOf(task));
    setAttribute(this.#box, "aria-label", t`Done: ${title}`);
    this.#box.disabled = !canTick;
    this.#showStatus();
    this.#details.replaceChildren(...about(task).map((words) => h("p", { dir: "auto" }, ...words)));
  }

  #showStatus() {
    this.#box.checked = this.#task.status === "done";
    this.#box.indeterminate = this.#task.status === "doing";
  }
}

function noteOf({ status, by, author, blockers: before }) {
  if (status === "done") return by ? t`Done by ${who(by)}` : t`Done`;
  if (before.length) return t`Waits for ${quoted(before.map(({ title }) => title))}`;
  if (status === "doing") return by && by !== author ? t`${who(by)} is at it` : t`In progress`;
  return "";
}

/** Labels and texts for the details of a task. @returns {(Node|string)[][]} */
function about({ details, needs, author }) {
  const label = (words) => h("span", { class: "task-label" }, words);
  return [
    details && [details],
    needs.length && [label(t`Depends on`), " ", quoted(needs)],
    author && [label(t`Added by`), " ", who(author)],
  ].filter(Boolean);
}

/** Display name of an agent; people's names, which are not all lower case, stay as they are. */
function who(name) {
  return name === name.toLowerCase() ? displayName(name) : name;
}

function quoted(titles) {
  return titles.map((title) => `“${title}”`).join(", ");
}
