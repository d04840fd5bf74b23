/** What a turn changed in the conversation's files: how much on one line, and line by line when it is opened. */

import { CopyButton } from "../shared/copy-button.js";
import { readDiff } from "../../core/diff.js";
import { button, h, icon, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";
import { fileAddress } from "../../transport/rest-api.js";
import { count } from "../../core/usage.js";

const KINDS = { created: "New", modified: "Changed", deleted: "Deleted" };
const SIGNS = { added: "+", removed: "−", same: " ", gap: "", note: "" };
const SHOWN = 60; // lines of a file, until all are asked for

export class ChangesCard {
  #title = h("span", { class: "changes-title" });
  #amount = h("span", { class: "changes-amount" });
  #files = h("div", { class: "changes-files" });
  #list;
  element = h(
    "details",
    { class: "changes-card" },
    h("summary", {}, icon("changes"), this.#title, this.#amount, icon("chevron")),
    this.#files,
  );

  /** @param {() => string} sessionId */
  constructor(sessionId) {
    this.#list = new KeyedList(this.#files, () => new FileChanges(sessionId));
  }

  update({ changes }) {
    const files = changes.map((change) => ({ ...change, key: change.path, ...readDiff(change.diff) }));
    setText(this.#title, files.length === 1 ? "1 file changed" : `${files.length} files changed`);
    this.#amount.replaceChildren(...amount(sum(files, "added"), sum(files, "removed")));
    this.#list.update(files.map((file) => ({ ...file, isOnly: files.length === 1 })));
  }
}

/** One file; its lines are made when they are looked at. */
class FileChanges {
  #sessionId;
  #kind = h("span", { class: "change-kind" });
  #path = h("span", { class: "change-path" });
  #amount = h("span", { class: "changes-amount" });
  #body = h("div", { class: "change-body" });
  #file = null;
  element = h(
    "details",
    { class: "change", ontoggle: () => this.#fill() },
    h("summary", {}, icon("chevron"), this.#path, this.#kind, this.#amount),
    this.#body,
  );

  constructor(sessionId) {
    this.#sessionId = sessionId;
  }

  update(file) {
    if (!this.#file && file.isOnly) this.element.open = true;
    this.#file = file;
    this.element.dataset.kind = file.kind;
    setText(this.#kind, KINDS[file.kind] ?? file.kind);
    setText(this.#path, file.path);
    this.#amount.replaceChildren(...amount(file.added, file.removed));
    this.#fill();
  }

  #fill() {
    if (!this.element.open) return;
    this.#body.replaceChildren(this.#tools(), this.#lines(SHOWN));
  }

  #tools() {
    const { path, kind, diff } = this.#file;
    const address = fileAddress(this.#sessionId(), path);
    return h(
      "div",
      { class: "change-tools" },
      kind === "deleted" ? null : h("a", { class: "text-button", href: address, download: true }, icon("download"), "Download"),
      diff ? new CopyButton(() => diff, `Copy the changes of ${path}`).element : null,
    );
  }

  #lines(limit) {
    const { lines, path } = this.#file;
    if (lines.length === 0) return h("p", { class: "change-note" }, whyNothing(this.#file));
    const rows = lines.slice(0, limit).map(row);
    const code = h("pre", { class: "diff", tabindex: 0, "aria-label": `Changes of ${path}` }, h("code", {}, ...rows));
    return h("div", {}, code, lines.length > limit ? this.#more() : null);
  }

  #more() {
    const all = () => {
      this.#body.lastElementChild.replaceWith(this.#lines(Infinity));
      this.#body.querySelector(".diff").focus({ preventScroll: true });
    };
    return button("text-button diff-more", all, `Show all ${count(this.#file.lines.length)} lines`);
  }
}

function row({ kind, before, after, text }) {
  return h(
    "span",
    { class: "diff-line", "data-kind": kind },
    h("span", { class: "diff-number" }, before ?? ""),
    h("span", { class: "diff-number" }, after ?? ""),
    h("span", { class: "diff-sign" }, SIGNS[kind]),
    h("span", { class: "diff-text" }, kind === "gap" ? `⋯ ${text}` : text, "\n"),
  );
}

function amount(added, removed) {
  return [
    added ? h("span", { class: "lines-added", role: "img", "aria-label": `${added} lines added` }, `+${count(added)}`) : "",
    removed ? h("span", { class: "lines-removed", role: "img", "aria-label": `${removed} lines removed` }, `−${count(removed)}`) : "",
  ];
}

function whyNothing({ kind }) {
  if (kind === "deleted") return "This file was deleted.";
  return "This file is not text, or too long to be compared.";
}

function sum(files, field) {
  return files.reduce((total, file) => total + file[field], 0);
}
