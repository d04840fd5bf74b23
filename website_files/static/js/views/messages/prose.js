/** Renders Markdown. While a text streams in, only the blocks that changed are rebuilt, usually just the last one. */

import { parse } from "../../core/markdown.js";
import { pathHere } from "../../transport/page-address.js";
import { CopyButton } from "../shared/copy-button.js";
import { h } from "../shared/dom.js";
import { inlineImage } from "./image.js";

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
  // The page itself uses the first two levels, so an answer's headings start at the third.
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
      { class: "card code-block" },
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

/** Renders a list item, with its first paragraph inline. */
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
  image: ({ url, alt }) => inlineImage(url, alt || "Image"),
  link: ({ href, parts }) => {
    const shown = { title: href, target: "_blank", rel: "noopener noreferrer", class: linkClass(href) };
    return h("a", { href: href.startsWith("/") ? pathHere(href) : href, ...shown }, inlineNodes(parts));
  },
};

/** Links into the knowledge base are styled as citations. */
function linkClass(href) {
  return href.startsWith(KNOWLEDGE) ? "citation" : null;
}

function inlineNodes(parts) {
  return parts.map((part) => INLINE[part.kind](part));
}
