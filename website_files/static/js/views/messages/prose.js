/** Rich text as nodes. While a text grows, only the blocks that changed are made anew: mostly the last one. */

import { CopyButton } from "../shared/copy-button.js";
import { h } from "../shared/dom.js";
import { picture } from "./image.js";
import { parse } from "../../core/markdown.js";

const KNOWLEDGE = "/api/agent-chat/knowledge/";

export class Prose {
  element = h("div", { class: "prose" });
  #text = null;
  #sources = [];

  update(text) {
    if (text === this.#text) return;
    this.#text = text;
    const blocks = parse(text);
    let same = 0;
    while (same < blocks.length && blocks[same].source === this.#sources[same]) same += 1;
    while (this.element.children.length > same) this.element.lastElementChild.remove();
    for (const block of blocks.slice(same)) this.element.append(blockNode(block));
    this.#sources = blocks.map((block) => block.source);
  }
}

const BLOCKS = {
  paragraph: ({ parts }) => h("p", { dir: "auto" }, inlineNodes(parts)),
  // A page's own headings come first, so an answer's begin at the third level.
  heading: ({ level, parts }) => h(`h${Math.min(level + 2, 6)}`, { dir: "auto" }, inlineNodes(parts)),
  quote: ({ blocks }) => h("blockquote", {}, ...blocks.map(blockNode)),
  rule: () => h("hr"),
  list: ({ ordered, start, items }) =>
    h(ordered ? "ol" : "ul", { dir: "auto", start: ordered && start !== 1 ? start : null }, ...items.map(itemNode)),
  table: ({ align, head, rows }) => {
    const row = (cells, tag) => h("tr", {}, ...cells.map((parts, place) => cell(tag, align[place], parts)));
    const body = h("tbody", {}, ...rows.map((cells) => row(cells, "td")));
    return h("div", { class: "table", tabindex: 0 }, h("table", {}, h("thead", {}, row(head, "th")), body));
  },
  code: ({ language, text }) =>
    h(
      "figure",
      { class: "code-block" },
      h("figcaption", {}, h("span", {}, language || "text"), new CopyButton(() => text, "Copy code").element),
      h("pre", { tabindex: 0, "aria-label": "Code" }, h("code", {}, text)),
    ),
};

function cell(tag, align, parts) {
  return h(tag, { "data-align": align, dir: "auto", scope: tag === "th" ? "col" : null }, inlineNodes(parts));
}

function blockNode(block) {
  return BLOCKS[block.kind](block);
}

/** A short item is a line, not a paragraph. */
function itemNode(blocks) {
  const [first, ...rest] = blocks;
  if (first?.kind !== "paragraph") return h("li", {}, ...blocks.map(blockNode));
  return h("li", {}, inlineNodes(first.parts), rest.map(blockNode));
}

const INLINE = {
  text: ({ text }) => document.createTextNode(text),
  code: ({ text }) => h("code", {}, text),
  strong: ({ parts }) => h("strong", {}, inlineNodes(parts)),
  em: ({ parts }) => h("em", {}, inlineNodes(parts)),
  image: ({ url, alt }) => picture(url, alt || "Image"),
  link: ({ href, parts }) =>
    h("a", { href, title: href, target: "_blank", rel: "noopener noreferrer", class: linkClass(href) }, inlineNodes(parts)),
};

/** What an answer relies on looks like a source, not like a way to go. */
function linkClass(href) {
  return href.startsWith(KNOWLEDGE) ? "citation" : null;
}

function inlineNodes(parts) {
  return parts.map((part) => INLINE[part.kind](part));
}
