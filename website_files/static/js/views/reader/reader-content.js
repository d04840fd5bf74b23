/** Shows the content of a file by its kind. What was shown before is changed rather than replaced, where that can be. */

import { readDiff } from "../../core/contents/diff.js";
import { asCode, kindOf, suffixOf } from "../../core/file-kinds.js";
import { t } from "../../core/words.js";
import { renderer } from "../../transport/rendering-api.js";
import { fileViewAddress } from "../../transport/rest-api.js";
import { decorated } from "../prose/blocks.js";
import { dataView } from "../prose/code-data.js";
import { Prose } from "../prose/prose.js";
import { diffLines } from "../contents/diff-lines.js";
import { h } from "../shared/dom.js";
import { LongText } from "../contents/long-text.js";

const COLORED = 150_000; // characters; longer code is shown in parts, without colors
const DIFF = 2_000; // lines of a diff that are shown at once

export class ReaderContent {
  element = h("div", { class: "reader-body thin-scrollbar", tabindex: 0, role: "group" });
  #shown = null;
  #prose = null; // of Markdown that is shown

  /** @param {string} sessionId @param {object|null} content see OpenFile */
  update(sessionId, content) {
    if (content === this.#shown) return;
    const before = this.#shown;
    this.#shown = content;
    const isSame = Boolean(before && content) && before.path === content.path && before.form === content.form;
    const { scrollTop, scrollLeft } = this.element;
    if (content) this.element.setAttribute("aria-label", content.path);
    if (isSame && this.#prose && content.text !== null) this.#prose.update(content.text);
    else this.element.replaceChildren(...(content ? [this.#build(sessionId, content)] : []));
    this.element.scrollTo(isSame ? scrollLeft : 0, isSame ? scrollTop : 0);
  }

  #build(sessionId, { path, address, form, text, diff }) {
    this.#prose = null;
    if (diff !== null) return differences(diff, path);
    const kind = form === "source" ? "text" : kindOf(path);
    const view = fileViewAddress(sessionId, path, address);
    if (kind === "picture") return picture(view, path);
    if (kind === "page") return h("iframe", { class: "reader-frame", src: view, title: path, sandbox: "" });
    if (kind === "pdf" && navigator.pdfViewerEnabled) return h("iframe", { class: "reader-frame", src: view, title: path });
    if (kind === "pdf") return note(t`This browser shows no PDF within a page.`);
    if (text === null) return note(t`This kind of file cannot be shown here.`);
    if (!text) return note(t`This file is empty.`);
    if (kind === "markdown") {
      this.#prose = new Prose();
      this.#prose.update(text);
      return h("div", { class: "reader-prose" }, this.#prose.element);
    }
    return (kind === "data" && dataView(text, suffixOf(path))) || code(text, path);
  }
}

function picture(address, path) {
  const image = h("img", { src: address, alt: path, onerror: () => image.replaceWith(note(t`This image cannot be shown.`)) });
  return h("div", { class: "reader-picture" }, image);
}

/** Code with the numbers of its lines; the server colors it. */
function code(text, path) {
  if (text.length > COLORED) return new LongText(text, path).element;
  const lines = text.replace(/\n$/, "").split("\n").length;
  const numbers = Array.from({ length: lines }, (_, at) => at + 1).join("\n");
  const source = h("code", {}, text);
  const pre = h("pre", { class: "reader-source", tabindex: 0, role: "group", "aria-label": t`Code` }, source);
  const colored = (blocks) => {
    const found = decorated(blocks.map(({ html }) => html).join(""), false).querySelector("pre code");
    if (found) source.replaceWith(found);
  };
  const markdown = asCode(text, path);
  const kept = renderer.kept(markdown);
  if (kept) colored(kept);
  else renderer.render(markdown, colored);
  return h("div", { class: "reader-code" }, h("pre", { class: "reader-numbers", "aria-hidden": "true" }, numbers), pre);
}

function differences(diff, path) {
  const { lines } = readDiff(diff);
  if (lines.length === 0) return note(t`Nothing differs, or it is no text that can be compared.`);
  return diffLines(lines, path, t`Differences of ${path}`, DIFF);
}

function note(words) {
  return h("p", { class: "reader-note" }, words);
}
