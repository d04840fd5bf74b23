/** Images from agents and tools. One on another server is only linked, never loaded unasked. */

import { t } from "../../core/words.js";
import { h, icon } from "../shared/dom.js";

/**
 * Renders an image part: embedded images are shown, remote ones linked.
 * @param {import("../../core/content-parts.js").Part} part
 * @param {string} by name of the agent or tool it came from
 */
export function imageOf({ kind, url }, by) {
  if (kind === "remote") return h("p", { class: "image-link" }, t`Image:`, " ", link(url));
  return inlineImage(url, t`Image from ${by}`);
}

/** Shows an image from a `data:` URL, with a button to save it. Fits inside a paragraph. */
export function inlineImage(url, alt) {
  const image = h("img", { src: url, alt, decoding: "async", onerror: () => broken(image) });
  const save = h("a", { class: "image-save", href: url, download: fileName(url), title: t`Save` }, icon("download"));
  save.setAttribute("aria-label", t`Save the image`);
  return h("span", { class: "image" }, image, save);
}

export function thumbnail({ url }, by) {
  return h("img", { class: "thumbnail", src: url, alt: t`Image from ${by}`, decoding: "async" });
}

function broken(image) {
  image.parentElement?.replaceChildren(h("span", { class: "image-broken" }, t`This image cannot be shown.`));
}

function link(url) {
  return h("a", { href: url, title: url, target: "_blank", rel: "noopener noreferrer" }, url);
}

function fileName(url) {
  const [, type = "png"] = /^data:image\/(\w+)/.exec(url) ?? [];
  return `image.${type === "jpeg" ? "jpg" : type}`;
}
