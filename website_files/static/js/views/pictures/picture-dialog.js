/** The dialog that shows an attached picture in full. Escape, its button or a click beside the picture closes it. */

import { nameOf } from "../../core/attachments.js";
import { t } from "../../core/words.js";
import { fetchAttached, fileAddress } from "../../transport/rest-api.js";
import { h, icon, iconButton } from "../shared/dom.js";
import { pictureUrl } from "./pictures.js";

/** @param {import("../../core/attachments.js").Attachment} attachment */
export function showPicture(attachment) {
  const { path, sessionId } = attachment;
  const name = nameOf(attachment);
  const dialog = h("dialog", { class: "picture-dialog", "aria-label": name });
  const close = () => dialog.close();
  const save = h("a", { class: "icon-button", href: fileAddress(sessionId, path), download: name, title: t`Download` });
  save.setAttribute("aria-label", t`Download ${name}`);
  save.append(icon("download"));
  const title = h("h2", { class: "one-line", dir: "auto" }, name);
  const place = h("div", { class: "picture-place" }, h("p", { role: "status" }, t`Loading…`));
  dialog.append(h("header", {}, title, save, iconButton("", t`Close`, "cross", close)), place);
  dialog.addEventListener("click", ({ target }) => (target === dialog || target === place) && close());
  dialog.addEventListener("close", () => dialog.remove()); // the browser gives the focus back
  document.body.append(dialog);
  dialog.showModal();
  load(attachment, name, place);
}

async function load(attachment, name, place) {
  try {
    const blob = await fetchAttached(attachment);
    place.replaceChildren(blob ? h("img", { src: await pictureUrl(blob), alt: name }) : said(t`Changed or deleted since`));
  } catch {
    place.replaceChildren(said(t`The server does not answer. Try again when the connection is back.`));
  }
}

function said(words) {
  return h("p", { role: "status" }, words);
}
