/** Images that agents and tools made; one that lies elsewhere is only linked, never fetched unasked. */

import { h, icon } from "../shared/dom.js";

/**
 * @param {import("../../core/content-parts.js").Part} part
 * @param {string} by who made it
 */
export function pictureOf({ kind, url }, by) {
  if (kind === "remote") return h("p", { class: "picture-remote" }, "Image: ", link(url));
  return picture(url, `Image from ${by}`);
}

/** An image that is carried by its address (`data:`). May stand in a paragraph. */
export function picture(url, alt) {
  const image = h("img", { src: url, alt, decoding: "async", onerror: () => broken(image) });
  const save = h("a", { class: "picture-save", href: url, download: fileName(url), title: "Save" }, icon("download"));
  save.setAttribute("aria-label", "Save the image");
  return h("span", { class: "picture" }, image, save);
}

export function thumbnail({ url }, by) {
  return h("img", { class: "thumbnail", src: url, alt: `Image from ${by}`, decoding: "async" });
}

function broken(image) {
  image.parentElement?.replaceChildren(h("span", { class: "picture-broken" }, "This image cannot be shown."));
}

function link(url) {
  return h("a", { href: url, title: url, target: "_blank", rel: "noopener noreferrer" }, url);
}

function fileName(url) {
  const [, type = "png"] = /^data:image\/(\w+)/.exec(url) ?? [];
  return `image.${type === "jpeg" ? "jpg" : type}`;
}
