/** The files that go with a person's message: thumbnails of images, which open in full, and links to the others. */

import { isImage, nameOf } from "../../core/attachments.js";
import { bytes } from "../../core/format.js";
import { t } from "../../core/words.js";
import { fetchAttached, fileAddress } from "../../transport/rest-api.js";
import { h, icon, setAttribute, setText } from "../shared/dom.js";
import { KeyedList } from "../shared/keyed-list.js";
import { showPicture } from "../pictures/picture-dialog.js";
import { thumbnailUrl } from "../pictures/pictures.js";

const MOST = 200; // thumbnails that are kept for messages that are drawn again

const thumbnails = new Map(); // by digest: promises of URLs, "" for a file that has changed since

export class AttachedFiles {
  element = h("ul", { class: "attached-files" });
  #list = new KeyedList(this.element, () => new AttachedFile());

  /** @param {import("../../core/attachments.js").Attachment[]|undefined} attachments */
  update(attachments = []) {
    this.element.hidden = attachments.length === 0;
    setAttribute(this.element, "aria-label", t`Attached files`);
    this.#list.update(attachments.map((each) => ({ ...each, key: each.path })));
  }
}

class AttachedFile {
  #name = h("span", { class: "one-line", dir: "auto" });
  #about = h("span", { class: "attached-about" });
  #link = h("a", { class: "card attached-link", download: true }, icon("file"), this.#name, this.#about);
  #picture = h("img", { class: "attached-picture", decoding: "async" });
  #show = h("button", { type: "button", class: "attached-show", onclick: () => showPicture(this.#file) }, this.#picture);
  #file = null;
  element = h("li", {}, this.#link);

  update(file) {
    const isOther = file.sha256 !== this.#file?.sha256;
    const name = nameOf(file);
    this.#file = file;
    setText(this.#name, name);
    if (isOther) setText(this.#about, bytes(file.size));
    setAttribute(this.#link, "href", fileAddress(file.sessionId, file.path));
    setAttribute(this.#link, "title", t`Download ${file.path}`);
    setAttribute(this.#picture, "alt", name);
    setAttribute(this.#show, "aria-label", t`Show ${name}`);
    setAttribute(this.#show, "title", name);
    if (isOther && isImage(file)) this.#load(file);
  }

  async #load(file) {
    try {
      const url = await thumbnailOf(file);
      if (file !== this.#file && file.sha256 !== this.#file.sha256) return;
      if (url) {
        this.#picture.src = url;
        this.element.replaceChildren(this.#show);
      } else setText(this.#about, t`Changed or deleted since`);
    } catch {
      thumbnails.delete(file.sha256); // the link remains
    }
  }
}

function thumbnailOf(file) {
  if (!thumbnails.has(file.sha256)) thumbnails.set(file.sha256, loaded(file));
  if (thumbnails.size > MOST) thumbnails.delete(thumbnails.keys().next().value);
  return thumbnails.get(file.sha256);
}

async function loaded(file) {
  const blob = await fetchAttached(file);
  return blob ? thumbnailUrl(blob) : "";
}
