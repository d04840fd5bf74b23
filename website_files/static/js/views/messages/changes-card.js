/** File changes made by a turn: a one-line summary that opens to diffs. */

import { readDiff } from "../../core/contents/diff.js";
import { count } from "../../core/session/usage.js";
import { t, tn } from "../../core/words.js";
import { fileAddress } from "../../transport/rest-api.js";
import { CopyButton } from "../shared/copy-button.js";
import { SIGNS, diffLines } from "../contents/diff-lines.js";
import { h, icon, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";

const KINDS = { created: () => t`New`, modified: () => t`Changed`, deleted: () => t`Deleted` };
const LINES = { added: (n) => tn(n, "{n} line added", "{n} lines added"), removed: (n) => tn(n, "{n} line removed", "{n} lines removed") };
const SHOWN = 20; // lines of a diff before "Show all"
const OPEN = 3; // files whose diffs are open from the start

export class ChangesCard {
  #title = h("span", { class: "changes-title" });
  #amount = h("span", { class: "changes-amount" });
  #files = h("div", { class: "changes-files" });
  #list;
  element = h(
    "details",
    { class: "card disclosure disclosure-block changes-card", open: true },
    h("summary", {}, icon("changes"), this.#title, this.#amount, icon("chevron")),
    this.#files,
  );

  /** @param {() => string} sessionId */
  constructor(sessionId) {
    this.#list = new KeyedList(this.#files, () => new FileChanges(sessionId));
  }

  update({ changes }) {
    const files = changes.map((change) => ({ ...change, key: change.path, ...readDiff(change.diff) }));
    setText(this.#title, tn(files.length, "{n} file changed", "{n} files changed"));
    this.#amount.replaceChildren(...amount(sum(files, "added"), sum(files, "removed")));
    this.#list.update(files.map((file, at) => ({ ...file, isOpen: at < OPEN })));
  }
}

/** The changes to one file. Its diff is built only once it is opened. */
class FileChanges {
  #sessionId;
  #kind = h("span", { class: "change-kind" });
  #path = h("span", { class: "change-path one-line" });
  #amount = h("span", { class: "changes-amount" });
  #body = h("div", { class: "change-body" });
  #file = null;
  #filled = undefined; // the diff that is shown, "" if there is none
  element = h(
    "details",
    { class: "disclosure disclosure-block change", ontoggle: () => this.#fill() },
    h("summary", {}, icon("chevron"), this.#path, this.#kind, this.#amount),
    this.#body,
  );

  constructor(sessionId) {
    this.#sessionId = sessionId;
  }

  update(file) {
    if (!this.#file && file.isOpen) this.element.open = true;
    this.#file = file;
    this.element.dataset.kind = file.kind;
    setText(this.#kind, KINDS[file.kind]?.() ?? file.kind);
    setText(this.#path, file.path);
    this.#amount.replaceChildren(...amount(file.added, file.removed));
    this.#fill();
  }

  #fill() {
    const { lines, path, diff } = this.#file;
    if (!this.element.open || this.#filled === diff) return; // what somebody selects in it stays selected
    this.#filled = diff;
    const shown = lines.length ? diffLines(lines, path, t`Changes of ${path}`, SHOWN) : h("p", { class: "change-note" }, whyNothing(this.#file));
    this.#body.replaceChildren(this.#tools(), shown);
  }

  #tools() {
    const { path, kind, diff } = this.#file;
    const link = { class: "text-button", href: fileAddress(this.#sessionId(), path), download: true };
    return h(
      "div",
      { class: "change-tools" },
      h("a", { ...link, "data-file": path }, icon("file"), t`Open`),
      kind === "deleted" ? null : h("a", link, icon("download"), t`Download`),
      diff ? new CopyButton(() => diff, t`Copy the changes of ${path}`).element : null,
    );
  }
}

function amount(added, removed) {
  const part = (kind, lines) =>
    h("span", { class: `lines-${kind}`, role: "img", "aria-label": LINES[kind](lines) }, SIGNS[kind] + count(lines));
  return [added ? part("added", added) : "", removed ? part("removed", removed) : ""];
}

function whyNothing({ kind }) {
  if (kind === "deleted") return t`This file was deleted.`;
  return t`This file is not text, or too long to be compared.`;
}

function sum(files, field) {
  return files.reduce((total, file) => total + file[field], 0);
}
