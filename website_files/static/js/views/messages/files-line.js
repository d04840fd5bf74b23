/** Files that agents wrote or people added, on one line: each can be downloaded. */

import { h, icon, setText } from "../shared/dom.js";
import { bytes, displayName } from "../../core/format.js";
import { KeyedList } from "../shared/keyed-list.js";
import { fileAddress } from "../../transport/rest-api.js";

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
    setText(this.#words, `${displayName(by)} ${verb}`);
    this.#list.update(items);
  }
}

class FileChip {
  #sessionId;
  #name = h("span", { class: "file-name" });
  #size = h("span", { class: "file-size" });
  element = h("span", { class: "file-chip" });

  constructor(sessionId) {
    this.#sessionId = sessionId;
  }

  /** @param {import("../../core/event-items.js").WrittenFile} file */
  update({ path, how, size }) {
    const isGone = how === "deleted";
    const link = { class: "file-link", href: fileAddress(this.#sessionId(), path), download: true, title: `Download ${path}` };
    setText(this.#name, path);
    setText(this.#size, isGone || size === null ? "" : bytes(size));
    this.element.dataset.kind = how;
    this.element.replaceChildren(isGone ? this.#name : h("a", link, this.#name, this.#size));
  }
}
