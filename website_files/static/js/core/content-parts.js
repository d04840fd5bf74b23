/**
 * Message content as a list of parts. AG2 passes on a string, a list of parts, any other value, or nothing.
 *
 * @typedef {{kind: "text", text: string} | {kind: "image", url: string} | {kind: "remote", url: string}} Part
 *   An `image` is embedded as a `data:` URL. A `remote` one lives on another server and is never fetched unasked.
 */

const OWN_IMAGE = /^data:image\/(?:png|jpe?g|gif|webp|avif|bmp|svg\+xml);base64,/i;
const WEB = /^https?:\/\//i;
const KNOWN = new Set(["text", "input_text", "output_text", "image_url", "input_image", "image"]);

/** Splits message content into parts. @returns {Part[]} */
export function partsOf(content) {
  if (Array.isArray(content)) return content.map(partOf);
  if (content === null || content === undefined || content === "") return [];
  return [partOf(content)];
}

/** Splits a tool's result into parts; many tools return their list of parts as JSON text. @returns {Part[]} */
export function resultParts(content) {
  const listed = typeof content === "string" && content.startsWith("[") ? parsed(content) : content;
  const isList = Array.isArray(listed) && listed.some(hasKnownType);
  if (isList || hasKnownType(listed)) return partsOf([listed].flat());
  return typeof content === "string" ? partsOf(content) : [{ kind: "text", text: JSON.stringify(content) ?? "" }];
}

/** The text of all text parts, as paragraphs. @param {Part[]} parts */
export function wordsOf(parts) {
  const words = parts.filter((part) => part.kind === "text").map((part) => part.text);
  return words.join("\n\n");
}

/** Replaces embedded images in Markdown with their descriptions, for copying or reading aloud. */
export function withoutImages(text) {
  return text.replace(/!\[([^\[\]\n]{0,400})\]\(data:[^()\s]*\)/g, "[$1]");
}

function partOf(part) {
  if (typeof part === "string") return isOwnImage(part) ? { kind: "image", url: part } : { kind: "text", text: part };
  const url = imageAddress(part);
  if (isOwnImage(url)) return { kind: "image", url };
  if (WEB.test(url)) return { kind: "remote", url };
  if (typeof part?.text === "string") return { kind: "text", text: part.text };
  return { kind: "text", text: JSON.stringify(part) ?? "" };
}

/** Reads the image URL in either shape: `image_url` from models, `data` and `mimeType` from MCP tools. */
function imageAddress(part) {
  const { type, image_url: given, data, mimeType } = part ?? {};
  if (type === "image" && typeof data === "string") return `data:${mimeType};base64,${data}`;
  const url = given?.url ?? given;
  return typeof url === "string" ? url : "";
}

function isOwnImage(url) {
  return OWN_IMAGE.test(url);
}

function hasKnownType(part) {
  return KNOWN.has(part?.type);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
