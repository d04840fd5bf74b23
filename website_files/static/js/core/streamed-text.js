/**
 * Decides which part of a text that grows is rendered when.
 *
 * Blocks before the last one are closed, since Markdown never changes a block once another one has begun: they are
 * rendered once. The last one is open. It is rendered again when it has grown by a quarter, so that all the work is
 * linear in the length of the text; what has come since is its tail. References and footnotes may come at the end, so
 * the whole text is rendered once more when it is complete.
 */

const GROWTH = 0.25;
const MAX_OPEN = 20_000; // code units of an open block after which it is only rendered once it is closed or complete

export class StreamedText {
  text = "";
  blocks = []; // HTML of each, the last one open
  isWhole = false; // the blocks are those of the complete text
  #openFrom = 0; // where the open block begins in the text
  #renderedTo = 0;
  #trimmed = 0; // the length of the white space before it, which HTML doesn't have except in code
  #lookedTo = 0; // for an end of an open block of more than MAX_OPEN

  /** Sets the text. Returns true if it replaces the earlier one instead of continuing it. */
  update(text) {
    const isContinued = text.startsWith(this.text);
    const isSame = text.length === this.text.length;
    if (!isContinued) this.blocks = [];
    if (!isContinued) this.#openFrom = this.#renderedTo = this.#lookedTo = this.#trimmed = 0;
    if (!isSame) this.isWhole = false;
    this.text = text;
    return !isContinued;
  }

  /** The text that has come since the blocks were rendered. */
  get tail() {
    if (this.isWhole || this.#renderedTo === this.text.length) return "";
    return this.text.slice(this.#renderedTo - this.#trimmed);
  }

  /** The text to render now: the whole if it is complete, else what is open, if that is worth it; or null. */
  next(isComplete) {
    if (isComplete) return this.isWhole ? null : this.text;
    const open = this.#renderedTo - this.#openFrom;
    const grown = this.text.length - this.#renderedTo;
    if (!grown || grown < open * GROWTH) return null;
    if (open > MAX_OPEN && !this.#mayClose()) return null;
    return this.text.slice(this.#openFrom);
  }

  /** Takes the blocks of what `next` returned. Returns the number of blocks that stay as they are. */
  rendered(source, isComplete, blocks) {
    if (isComplete) {
      this.isWhole = true;
      this.blocks = blocks.map(({ html }) => html);
      return 0;
    }
    const closed = Math.max(this.blocks.length - 1, 0);
    this.blocks = [...this.blocks.slice(0, closed), ...blocks.map(({ html }) => html)];
    this.#renderedTo = this.#openFrom + source.length;
    const isCode = blocks.at(-1)?.html.trimEnd().endsWith("</pre>");
    this.#trimmed = isCode ? 0 : source.length - source.trimEnd().length;
    const lines = blocks.at(-2)?.lines ?? 0;
    this.#openFrom += afterLines(source, lines);
    return closed;
  }

  /** A block of this size is code or a paragraph: a fence or an empty line ends it. */
  #mayClose() {
    const from = Math.max(this.#renderedTo, this.#lookedTo);
    this.#lookedTo = this.text.lastIndexOf("\n"); // the line after it may go on
    return /\n[ \t]*(\n|`{3}|~{3})/.test(this.text.slice(from));
  }
}

/** The place after so many lines. */
function afterLines(text, lines) {
  let place = 0;
  for (let line = 0; line < lines; line += 1) place = text.indexOf("\n", place) + 1;
  return place;
}
