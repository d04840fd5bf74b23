/** Turns a block that the server rendered into elements of the page, with what one can do with code, images and tables. */

import { t } from "../../core/words.js";
import { pathHere, readPageAddress } from "../../transport/page-address.js";
import { foreignImageAddress } from "../../transport/rest-api.js";
import { CopyButton } from "../shared/copy-button.js";
import { h, icon } from "../shared/dom.js";
import { saveText } from "../shared/save-text.js";
import { dataView } from "./code-data.js";
import { inlineImage } from "../messages/image.js";
import { divide } from "./pieces.js";

const KNOWLEDGE = "/api/agent-chat/knowledge/";
const FIRST_LEVEL = 1; // of headings: the page itself uses those up to it
const ALIGN = { right: "end", center: "center" };
const EXTENSIONS = {
  bash: "sh", c: "c", cpp: "cpp", css: "css", csv: "csv", diff: "diff", go: "go", html: "html", java: "java",
  javascript: "js", js: "js", json: "json", jsx: "jsx", kotlin: "kt", latex: "tex", markdown: "md", md: "md", php: "php",
  py: "py", python: "py", r: "r", ruby: "rb", rust: "rs", sh: "sh", shell: "sh", sql: "sql", svg: "svg", swift: "swift",
  toml: "toml", ts: "ts", tsx: "tsx", typescript: "ts", xml: "xml", yaml: "yaml", yml: "yaml",
};

/** The one place where HTML is inserted: the server has sanitized it. */
const policy = globalThis.trustedTypes?.createPolicy("prose", { createHTML: (html) => html });

/** The element for the HTML of a block. Data are shown as such once they are complete. */
export function decorated(html, isComplete = true) {
  const content = parsed(html);
  for (const heading of content.querySelectorAll("h1, h2, h3, h4, h5, h6")) lower(heading);
  for (const element of content.querySelectorAll("p, li, ul, ol, blockquote, td, th, h2, h3, h4, h5, h6")) element.dir = "auto";
  for (const paragraph of content.querySelectorAll("p")) divide(paragraph, "words");
  for (const box of content.querySelectorAll("input")) box.ariaLabel = box.parentElement.textContent.trim() || t`Task`;
  for (const table of content.querySelectorAll("table")) table.replaceWith(scrolled(table.cloneNode(true)));
  for (const code of content.querySelectorAll("pre")) code.replaceWith(codeBlock(code.cloneNode(true), isComplete));
  for (const link of content.querySelectorAll("a[href]")) improveLink(link);
  for (const image of content.querySelectorAll("img")) {
    if (!image.closest("a")) image.replaceWith(inlineImage(image.src, image.alt || t`Image`));
  }
  for (const image of content.querySelectorAll(".foreign-image")) image.replaceWith(foreignImage(image.dataset));
  return content.children.length === 1 ? content.firstElementChild : h("div", {}, ...content.childNodes);
}

/** The text of a block, without what only a reader with eyes gets: that of images is their description. */
export function plainText(html) {
  const content = parsed(html);
  for (const source of content.querySelectorAll("annotation")) source.remove(); // a formula in TeX
  for (const image of content.querySelectorAll("img")) image.replaceWith(image.alt);
  return content.textContent.replace(/\s*\n\s*/g, "\n").trim();
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content;
}

function lower(heading) {
  const level = Math.min(Number(heading.localName[1]) + FIRST_LEVEL, 6);
  heading.replaceWith(h(`h${level}`, {}, ...heading.childNodes));
}

function scrolled(table) {
  for (const cell of table.querySelectorAll("th")) cell.scope = "col";
  for (const cell of table.querySelectorAll("[align]")) cell.dataset.align = ALIGN[cell.getAttribute("align")] ?? "";
  return h("div", { class: "table", tabindex: 0, role: "group", "aria-label": t`Table` }, table);
}

/** Links lead to other tabs, those to notes to their place; those into the knowledge base are styled as citations. */
function improveLink(link) {
  const href = link.getAttribute("href");
  if (link.dataset.footnote || link.dataset.footnoteBack) link.addEventListener("click", goToNote);
  else {
    if (/^\/(?!\/)/.test(href)) link.href = pathHere(href);
    if (href.startsWith(KNOWLEDGE)) link.className = "citation";
    Object.assign(link, { title: href, target: "_blank" });
  }
}

function goToNote(event) {
  event.preventDefault();
  const { footnote, footnoteBack } = event.currentTarget.dataset;
  const prose = event.currentTarget.closest(".prose");
  const place = footnote
    ? prose.querySelector(`.footnote[data-footnote="${footnote}"]`)
    : prose.querySelector(`a[data-footnote="${footnoteBack}"]`);
  if (!place) return;
  place.tabIndex = footnote ? -1 : 0;
  place.focus();
  place.scrollIntoView({ block: "nearest" });
}

function codeBlock(pre, isComplete) {
  const code = pre.querySelector("code") ?? pre;
  const language = code.dataset.language ?? "";
  const figure = h("figure", { class: "card code-block" });
  const head = h("figcaption", {}); // may come into the block that was shown before
  const read = () => head.parentElement.querySelector("pre").textContent;
  const wrap = h("button", { type: "button", class: "text-button", "aria-pressed": "false" }, t`Wrap`);
  wrap.addEventListener("click", () => {
    wrap.setAttribute("aria-pressed", String(wrap.getAttribute("aria-pressed") === "false"));
  });
  const save = h("button", { type: "button", class: "text-button", title: t`Download`, "aria-label": t`Download` }, icon("download"));
  save.addEventListener("click", () => saveText(read(), `code.${EXTENSIONS[language.toLowerCase()] ?? "txt"}`));
  const copy = new CopyButton(read, t`Copy code`, t`Copy`).element;
  Object.assign(pre, { tabIndex: 0 });
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", t`Code`);
  const data = isComplete ? dataView(code.textContent, language.toLowerCase()) : null;
  divide(code, "code");
  head.append(h("span", { class: "code-language" }, language || t`text`), wrap, save, copy);
  head.dataset.kept = language;
  figure.append(head, pre);
  if (data) showData(figure, head, data);
  return figure;
}

/** Shows data instead of their source, with a button that switches between both. */
function showData(figure, head, data) {
  const toggle = h("button", { type: "button", class: "text-button", "aria-pressed": "false" }, t`Source`);
  const view = h("div", { class: "code-data" }, data);
  const show = (isSource) => {
    toggle.setAttribute("aria-pressed", String(isSource));
    head.parentElement.querySelector("pre").hidden = !isSource; // the head may have come into another block
    view.hidden = isSource;
  };
  toggle.addEventListener("click", () => show(view.hidden === false));
  head.dataset.kept += " data"; // replaces the head from before the data were complete
  head.firstChild.after(toggle);
  figure.append(view);
  show(false);
}

/** The hosts whose images are shown unasked, in this conversation and until the page is left: "SESSION HOST". */
const trusted = new Set();

/** Names an image's host, and loads the image only once somebody wants it, in a frame with a policy of its own. */
function foreignImage({ src, alt }) {
  const { host } = new URL(src, location.href);
  const frame = h("span", { class: "foreign-image" });
  const show = (event) => {
    event?.preventDefault(); // the image may be in a link
    const shown = { src: foreignImageAddress(src, alt), title: alt || t`Image`, sandbox: "", loading: "lazy" };
    frame.replaceChildren(h("iframe", shown));
  };
  const showAll = (event) => {
    trusted.add(inThisConversation(host));
    show(event);
    for (const other of document.querySelectorAll(".foreign-image")) {
      if (other.dataset.host === host) other.querySelector("button")?.click();
    }
  };
  const one = h("button", { type: "button", class: "text-button", onclick: show }, icon("eye"), t`Show the image from ${host}`);
  const all = h("button", { type: "button", class: "text-button", onclick: showAll }, t`Show all from there`);
  frame.append(one, all, alt ? h("span", { dir: "auto" }, alt) : "");
  Object.assign(frame.dataset, { kept: src, host });
  if (trusted.has(inThisConversation(host))) show();
  return frame;
}

function inThisConversation(host) {
  return `${readPageAddress().sessionId} ${host}`;
}
