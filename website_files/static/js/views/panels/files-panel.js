/** The list of files, to read or delete. */

import { ago, bytes, fullTime } from "../../core/format.js";
import { t } from "../../core/words.js";
import { fileAddress } from "../../transport/rest-api.js";
import { h, icon, iconButton, setAttribute, setText } from "../shared/dom.js";
import { InlineConfirm } from "../shared/inline-form.js";
import { KeyedList } from "../shared/keyed-list.js";

export class FilesPanel {
  #element;
  #list;
  #note;
  #shown = []; // the arguments of the last update

  /** @param {{choose(): void, delete(path: string): Promise}} intents */
  constructor(element, intents) {
    this.#element = element;
    this.#note = element.querySelector(".files-note");
    this.#list = new KeyedList(element.querySelector(".file-list"), () => new FileRow(intents));
    element.querySelector(".files-upload").addEventListener("click", intents.choose);
  }

  /** @param {import("../../app/files.js").FileList} files */
  update(files, sessionId, canWrite, minute = Math.floor(Date.now() / 60_000)) {
    const now = [files.entries, files.problem, sessionId, canWrite, minute];
    if (now.every((part, index) => part === this.#shown[index])) return;
    this.#shown = now;
    this.#element.hidden = files.entries.length === 0 && !files.problem;
    this.#element.querySelector(".files-upload").hidden = !canWrite;
    this.#list.update(files.entries.map((file) => ({ ...file, sessionId, canWrite })));
    setText(this.#note, files.problem && t`This list may be old: ${files.problem}`);
  }
}

class FileRow {
  #name = h("span", { class: "file-name", dir: "auto" });
  #folder = h("span", { class: "file-folder" });
  #about = h("span", { class: "file-about" });
  #path = h("span", { class: "file-path one-line" }, this.#folder, this.#name);
  #words = h("span", { class: "file-words" }, this.#path, this.#about);
  #link = h("a", { class: "list-row file", download: true }, icon("file"), this.#words);
  #remove = iconButton("row-action file-delete", t`Delete`, "bin", () => this.#ask());
  #filePath = "";
  #intents;
  element = h("li", {}, this.#link, this.#remove);

  constructor(intents) {
    this.#intents = intents;
  }

  update({ path, size, modified, sessionId, canWrite }) {
    const at = path.lastIndexOf("/") + 1;
    this.#filePath = path;
    setText(this.#folder, path.slice(0, at));
    setText(this.#name, path.slice(at));
    setText(this.#about, `${bytes(size)} · ${ago(Date.parse(modified) || Date.now())}`);
    this.#about.title = fullTime(modified);
    setAttribute(this.#link, "href", fileAddress(sessionId, path));
    setAttribute(this.#link, "title", path);
    this.#link.dataset.file = path;
    setAttribute(this.#remove, "aria-label", t`Delete ${path}`);
    this.#remove.hidden = !canWrite;
  }

  #ask() {
    const question = new InlineConfirm({
      words: t`Delete “${this.#filePath}” for everybody?`,
      yes: t`Delete`,
      act: () => this.#intents.delete(this.#filePath),
      cancel: () => (this.element.replaceChildren(this.#link, this.#remove), this.#remove.focus()),
    });
    this.element.replaceChildren(question.element);
    question.focus();
  }
}
