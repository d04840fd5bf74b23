/** Tells by a file's name how it is shown. */

const MARKDOWN = new Set(["md", "markdown", "mdown"]);
const PICTURES = new Set(["avif", "bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "webp"]);
const PAGES = new Set(["html", "htm"]);
const DATA = new Set(["csv", "json", "tsv"]);

/**
 * "picture", "page" and "pdf" are shown by the browser, from an address; "markdown", "data" and "text" by their text.
 * Anything unknown may be text.
 */
export function kindOf(path) {
  const suffix = suffixOf(path);
  if (MARKDOWN.has(suffix)) return "markdown";
  if (PICTURES.has(suffix)) return "picture";
  if (PAGES.has(suffix)) return "page";
  if (DATA.has(suffix)) return "data";
  return suffix === "pdf" ? "pdf" : "text";
}

/** The part of a name after the last dot, in lower case; "" if there is none. */
export function suffixOf(path) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return name.includes(".", 1) ? name.slice(name.lastIndexOf(".") + 1).toLowerCase() : "";
}

/** Whether there is a source to read, beside what is shown. */
export function hasSource(path) {
  return suffixOf(path) === "svg" || ["markdown", "data", "page"].includes(kindOf(path));
}

/** A text as Markdown that shows it as code. */
export function asCode(text, path) {
  const longest = Math.max(2, ...(text.match(/`{3,}/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${suffixOf(path).replace(/[^\w+#-]/g, "")}\n${text.replace(/\n$/, "")}\n${fence}\n`;
}

/** The text of a file, or null if it is none. @param {ArrayBuffer} content */
export function textOf(content) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(content);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}
