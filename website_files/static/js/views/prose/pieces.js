/** Divides long paragraphs and code into pieces, so that browsers lay out only the piece that grows. */

import { h } from "../shared/dom.js";

const LENGTHS = { code: 1500, words: 4000 }; // code units of a piece, about

/** What ends a piece: a line of code, or a word. */
const ENDS = { code: /\n/g, words: /\s/g };

/** Divides an element's content, if it is long. @param {"code" | "words"} kind */
export function divide(element, kind) {
  const least = LENGTHS[kind];
  if (element.textContent.length <= 2 * least) return;
  const pieces = [h("span", { class: "piece" })];
  let length = 0;
  const put = (node) => {
    pieces.at(-1).append(node);
    length += node.textContent.length;
    if (length < least || (kind === "code" && !node.textContent.endsWith("\n"))) return;
    pieces.push(h("span", { class: "piece" }));
    length = 0;
  };
  for (let node of [...element.childNodes]) {
    for (let end; node.nodeType === Node.TEXT_NODE && (end = endOf(node.data, least - length, kind)); ) {
      const rest = node.splitText(end);
      put(node);
      node = rest;
    }
    if (node.textContent) put(node);
  }
  element.replaceChildren(...pieces.filter((piece) => piece.hasChildNodes()));
}

/** A text that grows at its end. */
export class GrowingText {
  element = h("span", { class: "prose-tail" });
  #text = "";

  /** Shows a text in `parent`. Only what is new is touched if it continues the last one. */
  show(text, parent) {
    if (this.element.parentNode !== parent) parent.append(this.element);
    if (!text.startsWith(this.#text)) this.clear();
    this.#add(text.slice(this.#text.length), parent.closest("pre") ? "code" : "words");
    this.#text = text;
  }

  clear() {
    this.element.replaceChildren();
    this.#text = "";
  }

  #add(text, kind) {
    let rest = text;
    while (rest) {
      const piece = this.element.lastChild ?? this.#begin();
      const end = endOf(rest, LENGTHS[kind] - piece.firstChild.length, kind) || rest.length;
      piece.firstChild.appendData(rest.slice(0, end));
      rest = rest.slice(end);
      if (piece.firstChild.length >= LENGTHS[kind] && ENDS[kind].test(piece.firstChild.data.slice(-1))) this.#begin();
      ENDS[kind].lastIndex = 0;
    }
  }

  #begin() {
    const piece = h("span", { class: "piece" });
    piece.append(document.createTextNode(""));
    this.element.append(piece);
    return piece;
  }
}

/** The place after the first end of a piece, from a place on; 0 if there is none. */
function endOf(text, from, kind) {
  const end = ENDS[kind];
  end.lastIndex = Math.max(from - 1, 0);
  const found = end.exec(text);
  end.lastIndex = 0;
  return found ? found.index + 1 : 0;
}
