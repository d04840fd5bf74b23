/** Attaching files: by button, drag and drop or paste, and the list of uploads above the message field. */

import { MOST, isImage } from "../../core/attachments.js";
import { bytes } from "../../core/format.js";
import { t } from "../../core/words.js";
import { fetchAttached } from "../../transport/rest-api.js";
import { button, h, icon, iconButton, setAttribute, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";
import { thumbnailUrl } from "../pictures/pictures.js";

const NAMELESS = /^image\.(\w+)$/; // the name browsers give to a copied image

/** Collects files from the file field, drag and drop, and paste. */
export class FileInput {
  #take;
  #picker;
  #depth = 0; // number of nested elements under the dragged files
  #stage;
  isOpen = false; // whether files can be attached now

  /**
   * @param {HTMLElement} stage the element to highlight while files are dragged over the page
   * @param {HTMLInputElement} picker the hidden file field
   * @param {(given: {file: File, name: string, problem?: string}[]) => void} take
   */
  constructor(stage, picker, take) {
    this.#stage = stage;
    this.#picker = picker;
    this.#take = take;
    picker.addEventListener("change", () => this.#picked());
    addEventListener("dragenter", (event) => this.#dragged(event, 1));
    addEventListener("dragleave", (event) => this.#dragged(event, -1));
    addEventListener("dragover", (event) => isOfFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => this.#dropped(event));
    addEventListener("paste", (event) => this.#pasted(event));
  }

  choose() {
    if (this.isOpen) this.#picker.click();
  }

  // Internal

  #picked() {
    const given = Array.from(this.#picker.files, (file) => ({ file, name: file.name }));
    this.#picker.value = ""; // so that the same file can be chosen again
    this.#give(given);
  }

  #dragged(event, step) {
    if (!isOfFiles(event)) return;
    event.preventDefault();
    this.#depth = Math.max(this.#depth + step, 0);
    this.#stage.toggleAttribute("data-dropping", this.isOpen && this.#depth > 0);
  }

  #dropped(event) {
    if (!isOfFiles(event)) return;
    event.preventDefault(); // otherwise the browser leaves the page to show the file
    this.#depth = 0;
    this.#stage.removeAttribute("data-dropping");
    const items = Array.from(event.dataTransfer.items).filter(({ kind }) => kind === "file");
    this.#give(items.map(fromItem).filter(({ file }) => file));
  }

  /** Attaches pasted files, except when copied from an office program: that is text, with an image of itself. */
  #pasted(event) {
    const { files, types } = event.clipboardData ?? {};
    const isText = types?.includes("text/plain") && types.includes("text/html");
    if (!this.isOpen || !files?.length || isText) return;
    event.preventDefault();
    this.#give(Array.from(files, (file, place) => ({ file, name: pastedName(file.name, place) })));
  }

  #give(given) {
    if (this.isOpen && given.length) this.#take(given);
  }
}

function isOfFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files");
}

function fromItem(item) {
  const isFolder = item.webkitGetAsEntry?.()?.isDirectory;
  const file = item.getAsFile();
  return { file, name: file?.name, ...(isFolder && { problem: t`This is a folder. Choose the files in it.` }) };
}

/** Names a pasted image after the time, so that two of them become two files. */
function pastedName(name, place, now = Date.now()) {
  const found = NAMELESS.exec(name);
  const time = new Date(now).toLocaleTimeString("en-GB").replaceAll(":", ".");
  return found ? `${t`Pasted ${time}`}${place ? ` (${place + 1})` : ""}.${found[1]}` : name;
}

/** Sends the message once its files are there, unless the text changes meanwhile. */
export class SendingLater {
  isWaiting = false;
  #intents;

  /** @param {{isUploading(): boolean, attached(): object[], send(text: string): string|void, submit(): void,
   *   changed(): void}} intents */
  constructor(intents) {
    this.#intents = intents;
  }

  /** Returns why the text cannot be sent, null if that has to wait, or what sending it returns. */
  send(text) {
    if (this.#intents.attached().length > MOST) return t`At most ${MOST} files go with a message. Remove some of them.`;
    this.isWaiting = this.#intents.isUploading();
    if (!this.isWaiting) return this.#intents.send(text);
    this.#intents.changed();
    return null;
  }

  /** The text has changed, or another one is written. */
  forget() {
    this.isWaiting = false;
  }

  /** The uploads may be over. One that has failed keeps the message back. */
  update(uploads) {
    if (!this.isWaiting || this.#intents.isUploading()) return;
    this.isWaiting = false;
    if (uploads.every(({ state }) => state !== "failed")) this.#intents.submit();
  }
}

/** Uploads as chips above the message field, with their progress or why they failed. */
export class UploadTray {
  #element;
  #list;

  /** @param {{dismiss(key: string): void, again(key: string): void}} intents */
  constructor(element, intents) {
    this.#element = element;
    this.#list = new KeyedList(element, () => new UploadChip(intents));
  }

  /**
   * @param {import("../../app/files.js").Upload[]} uploads
   * @param {boolean} sees whether the model is shown images, as far as is known
   */
  update(uploads, sees) {
    this.#element.hidden = uploads.length === 0;
    this.#list.update(uploads.map((each) => ({ ...each, isUnseen: !sees && isImage(typeOf(each)) })));
  }
}

class UploadChip {
  #name = h("span", { class: "upload-name one-line", dir: "auto" });
  #note = h("span", { class: "upload-note" });
  #unseen = h("span", { class: "upload-note" });
  #picture = h("img", { class: "upload-picture", alt: "", hidden: true });
  #bar = h("progress", { class: "upload-bar" });
  #again;
  #dismiss;
  #key = "";
  #isPictured = false;
  element;

  constructor({ dismiss, again }) {
    this.#dismiss = iconButton("upload-dismiss", t`Dismiss`, "cross", () => dismiss(this.#key));
    this.#again = button("text-button upload-again", () => again(this.#key), icon("again"), t`Try again`);
    const words = h("span", { class: "upload-words" }, this.#name, this.#note, this.#unseen, this.#again);
    this.element = h("li", { class: "card upload" }, icon("file"), this.#picture, words, this.#dismiss, this.#bar);
    this.element.addEventListener("keydown", ({ key }) => {
      if (key === "Delete" || key === "Backspace") dismiss(this.#key);
    });
  }

  update(upload) {
    const { key, name, size, sent, state, canRetry, note, isUnseen } = upload;
    const isOnItsWay = state === "waiting" || state === "running";
    this.#key = key;
    this.element.dataset.state = state;
    setAttribute(this.element, "role", state === "failed" ? "alert" : null);
    setText(this.#name, name);
    setText(this.#note, note || (state === "running" ? t`${bytes(sent)} of ${bytes(size)}` : bytes(size)));
    setText(this.#unseen, isUnseen ? t`This model does not see images.` : "");
    this.#unseen.hidden = !isUnseen;
    setAttribute(this.#dismiss, "aria-label", isOnItsWay ? t`Cancel ${name}` : state === "done" ? t`Remove ${name}` : t`Dismiss ${name}`);
    setAttribute(this.#dismiss, "title", isOnItsWay ? t`Cancel` : state === "done" ? t`Remove from the message` : t`Dismiss`);
    setAttribute(this.#bar, "aria-label", t`Upload of ${name}`);
    this.#again.hidden = state !== "failed" || !canRetry;
    this.#bar.hidden = !isOnItsWay;
    this.#bar.max = size || 1;
    this.#bar.value = sent;
    if (!this.#isPictured && isImage(typeOf(upload))) this.#drawPicture(upload);
  }

  async #drawPicture({ file, attached }) {
    this.#isPictured = true;
    try {
      const blob = file ?? (await fetchAttached(attached));
      if (!blob) return;
      this.#picture.src = await thumbnailUrl(blob);
      this.#picture.hidden = false;
    } catch {
      // It is no picture after all, and keeps its icon.
    }
  }
}

function typeOf({ file, attached }) {
  return { media_type: file?.type ?? attached?.media_type ?? "" };
}
