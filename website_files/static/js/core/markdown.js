/**
 * Parses a subset of Markdown into plain data, which prose.js renders. It never produces HTML, so nothing needs escaping.
 * Unfinished text is fine: an open code fence runs to the end, and an unclosed mark is left as typed.
 * Every pattern is bounded, so parsing time stays linear even for hostile input.
 *
 * @typedef {{kind: "text"|"code", text: string} | {kind: "strong"|"em", parts: Inline[]} |
 *   {kind: "link", href: string, parts: Inline[]} | {kind: "image", url: string, alt: string}} Inline
 *   An image is embedded as a `data:` URL; one from another server becomes a link.
 * @typedef {{kind: "paragraph", parts: Inline[]} | {kind: "heading", level: number, parts: Inline[]} |
 *   {kind: "code", language: string, text: string} | {kind: "quote", blocks: Block[]} | {kind: "rule"} |
 *   {kind: "table", align: string[], head: Inline[][], rows: Inline[][][]} |
 *   {kind: "list", ordered: boolean, start: number, items: Block[][]}} Block
 *   Each also has its `source` text.
 */

const DEEPEST = 6; // nesting of lists and of inline marks

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]{0,30})[^`]*$/;
const HEADING = /^ {0,3}(#{1,6}) +(.+)$/;
const QUOTE = /^ {0,3}> ?/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/;
const COLUMNS = /^\|?(?: *:?-+:? *\|)* *:?-+:? *\|?$/; // the line below a table header
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)]) +/;

/** Parses text into blocks. @returns {Block[]} */
export function parse(text, depth = 0) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    const [block, next] = depth < DEEPEST ? readBlock(lines, at, depth) : readParagraph(lines, at, true);
    if (block) blocks.push({ ...block, source: lines.slice(at, next).join("\n") });
    at = next;
  }
  return blocks;
}

function readBlock(lines, at, depth) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  if (FENCE.test(line)) return readFence(lines, at);
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  const heading = HEADING.exec(line);
  if (heading) return [{ kind: "heading", level: heading[1].length, parts: inline(heading[2].trim()) }, at + 1];
  if (QUOTE.test(line)) return readQuote(lines, at, depth);
  if (ITEM.test(line)) return readList(lines, at, depth);
  if (isTable(line, lines[at + 1])) return readTable(lines, at);
  return readParagraph(lines, at);
}

function readFence(lines, at) {
  const [, fence, language] = FENCE.exec(lines[at]);
  const isEnd = (line) => line.trim().startsWith(fence) && !line.trim().replaceAll(fence[0], "");
  const end = findFrom(lines, at + 1, isEnd);
  return [{ kind: "code", language, text: lines.slice(at + 1, end).join("\n") }, end + 1];
}

function readQuote(lines, at, depth) {
  const end = findFrom(lines, at, (line) => !QUOTE.test(line));
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ kind: "quote", blocks: parse(inner.join("\n"), depth + 1) }, end];
}

function readList(lines, at, depth) {
  const ordered = /\d/.test(ITEM.exec(lines[at])[2]);
  const list = { kind: "list", ordered, start: parseInt(ITEM.exec(lines[at])[2], 10) || 1, items: [] };
  while (at < lines.length && isItem(lines[at], ordered)) {
    const width = ITEM.exec(lines[at])[0].length;
    const end = findFrom(lines, at + 1, (line, i) => !belongs(line, lines[i + 1]));
    const inner = [lines[at].slice(width), ...lines.slice(at + 1, end).map((line) => dedent(line, width))];
    list.items.push(parse(inner.join("\n"), depth + 1));
    at = end;
    if (!lines[at]?.trim() && isItem(lines[at + 1] ?? "", ordered)) at += 1;
  }
  return [list, at];
}

function isItem(line, ordered) {
  const item = ITEM.exec(line);
  return item !== null && !RULE.test(line) && /\d/.test(item[2]) === ordered;
}

/** Whether a line continues a list item: it is indented, or blank with an indented line after it. */
function belongs(line, next = "") {
  return line.trim() ? /^ {2,}/.test(line) : /^ {2,}\S/.test(next);
}

function dedent(line, width) {
  return line.slice(Math.min(width, line.length - line.trimStart().length));
}

function isTable(line, next = "") {
  const isHead = line.includes("|") && next.includes("-") && COLUMNS.test(next.trim());
  return isHead && cells(line).length === cells(next).length;
}

function readTable(lines, at) {
  const end = findFrom(lines, at + 2, (line) => !line.includes("|"));
  const [head, columns, ...rows] = lines.slice(at, end).map(cells);
  const row = (texts) => head.map((_, place) => inline(texts[place] ?? ""));
  return [{ kind: "table", align: columns.map(alignment), head: row(head), rows: rows.map(row) }, end];
}

function cells(line) {
  const bare = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function alignment(column) {
  if (!column.endsWith(":")) return "start";
  return column.startsWith(":") ? "center" : "end";
}

function readParagraph(lines, at, isFlat = false) {
  const starts = (line) => [FENCE, HEADING, QUOTE, RULE, ITEM].some((mark) => mark.test(line));
  const isOver = (line, place) => !line.trim() || starts(line) || isTable(line, lines[place + 1]);
  const end = findFrom(lines, at + 1, (line, place) => !isFlat && isOver(line, place));
  const text = lines.slice(at, end).join("\n").trim();
  return [text ? { kind: "paragraph", parts: inline(text) } : null, end];
}

function findFrom(lines, at, test) {
  while (at < lines.length && !test(lines[at], at)) at += 1;
  return at;
}

const ADDRESS = String.raw`(?:https?:\/\/|mailto:|\/(?![\/\\]))`; // a web page, an e-mail address, or a path on this server
const HERE = "https://here.invalid"; // placeholder for this server's origin

const MARK = new RegExp(
  [
    String.raw`\\(?<escaped>[\\${"`"}*_\[\]#])`,
    "(?<ticks>`{1,2})(?!`)(?<code>[^\\n]{1,400}?)(?<!`)\\k<ticks>(?!`)",
    String.raw`\*\*(?=\S)(?<strong>[^\n]{1,600}?)(?<=\S)\*\*(?!\*)`,
    String.raw`(?<![\w*])\*(?=[^\s*])(?<em>[^*\n]{1,400}?)(?<=\S)\*(?![\w*])`,
    String.raw`(?<!\w)_(?=[^\s_])(?<low>[^_\n]{1,400}?)(?<=\S)_(?!\w)`,
    String.raw`!\[(?<alt>[^\[\]\n]{0,400})\]\((?<image>data:image\/[\w+.-]{1,20};base64,[\w+\/=]+)\)`,
    String.raw`!?\[(?<label>[^\[\]\n]{1,400})\]\((?<href>${ADDRESS}[^\s<>]{0,2000}?)(?:\s{1,9}"[^"\n]{0,400}")?\)(?!\))`,
    String.raw`(?<![\w/])(?<bare>https?:\/\/[^\s<>"${"`"}]{1,2000})`,
  ].join("|"),
  "gi",
);

/** Parses inline marks in a text. @returns {Inline[]} */
export function inline(text, depth = 0) {
  if (depth >= DEEPEST) return [{ kind: "text", text }];
  const parts = [];
  let done = 0;
  for (const match of text.matchAll(MARK)) {
    const [part, length] = readMark(match, depth);
    if (match.index > done) parts.push({ kind: "text", text: text.slice(done, match.index) });
    parts.push(part);
    done = match.index + length;
  }
  if (done < text.length) parts.push({ kind: "text", text: text.slice(done) });
  return parts;
}

function readMark({ 0: whole, groups }, depth) {
  const { escaped, code, strong, em, low, alt, image, label, href, bare } = groups;
  const inner = (text) => inline(text, depth + 1);
  if (escaped) return [{ kind: "text", text: escaped }, whole.length];
  if (code) return [{ kind: "code", text: code }, whole.length];
  if (strong) return [{ kind: "strong", parts: inner(strong) }, whole.length];
  if (em || low) return [{ kind: "em", parts: inner(em ?? low) }, whole.length];
  if (image) return [{ kind: "image", url: image, alt }, whole.length];
  if (href) return [link(href, [{ kind: "text", text: label }], whole), whole.length];
  const url = bare.replace(/[.,;:!?'")\]*_]+$/, ""); // punctuation that ends the sentence is not part of the URL
  return [link(url, [{ kind: "text", text: url }], url), url.length];
}

/** Links only to http(s), mailto and this server's pages, and only if the browser can parse the URL. */
function link(href, parts, written) {
  return isSafe(href) ? { kind: "link", href, parts } : { kind: "text", text: written };
}

function isSafe(href) {
  if (!URL.canParse(href, HERE)) return false;
  const { protocol, origin } = new URL(href, HERE);
  return href.startsWith("/") ? origin === HERE : ["http:", "https:", "mailto:"].includes(protocol);
}
