/** What is being uploaded, as chips above the field: how far each has got, or why it was refused. */

import { h, icon, iconButton, setAttribute, setText } from "../shared/dom.js";
import { bytes } from "../../core/format.js";
import { KeyedList } from "../shared/keyed-list.js";

export class UploadTray {
  #element;
  #list;

  /** @param {(key: string) => void} dismiss */
  constructor(element, dismiss) {
    this.#element = element;
    this.#list = new KeyedList(element, () => new UploadChip(dismiss));
  }

  /** @param {import("../../app/uploads.js").Upload[]} uploads */
  update(uploads) {
    this.#element.hidden = uploads.length === 0;
    this.#list.update(uploads);
  }
}

class UploadChip {
  #name = h("span", { class: "upload-name", dir: "auto" });
  #note = h("span", { class: "upload-note" });
  #bar = h("progress", { class: "upload-bar" });
  #dismiss;
  #key = "";
  element;

  constructor(dismiss) {
    this.#dismiss = iconButton("upload-dismiss", "Dismiss", "cross", () => dismiss(this.#key));
    const words = h("span", { class: "upload-words" }, this.#name, this.#note);
    this.element = h("li", { class: "upload" }, icon("file"), words, this.#dismiss, this.#bar);
  }

  update({ key, name, file, sent, state, note }) {
    const isOnItsWay = state === "waiting" || state === "running";
    this.#key = key;
    this.element.dataset.state = state;
    setAttribute(this.element, "role", state === "failed" ? "alert" : null);
    setText(this.#name, name);
    setText(this.#note, note || (state === "running" ? `${bytes(sent)} of ${bytes(file.size)}` : bytes(file.size)));
    setAttribute(this.#dismiss, "aria-label", `${isOnItsWay ? "Cancel" : "Dismiss"} ${name}`);
    setAttribute(this.#dismiss, "title", isOnItsWay ? "Cancel" : "Dismiss");
    setAttribute(this.#bar, "aria-label", `Upload of ${name}`);
    this.#bar.hidden = !isOnItsWay;
    this.#bar.max = file.size || 1;
    this.#bar.value = sent;
  }
}
