/** Shows Markdown. The server renders it; until it has, and while a text streams in, the latest part is shown as it is. */

import { StreamedText } from "../../core/streamed-text.js";
import { renderer } from "../../transport/rendering-api.js";
import { h } from "../shared/dom.js";
import { keepSelection, patchChildren } from "../shared/patch.js";
import { GrowingText } from "./pieces.js";
import { decorated } from "./blocks.js";

const PAUSE = 300; // ms between two renderings of a text that grows
const INTO = new Set(["P", "UL", "OL", "LI", "BLOCKQUOTE", "FIGURE", "PRE", "CODE"]);

/** An element that shows a text which is complete. */
export function renderedProse(text) {
  const prose = new Prose();
  prose.update(text);
  return prose.element;
}

export class Prose {
  element = h("div", { class: "prose" });
  #streamed = new StreamedText();
  #tail = new GrowingText();
  #isComplete = false;
  #isAsking = false;
  #next = 0; // the earliest time of the next rendering

  /** @param {boolean} isComplete false while the text still grows */
  update(text, isComplete = true) {
    if (text === this.#streamed.text && isComplete === this.#isComplete) return;
    this.#isComplete = isComplete;
    if (this.#streamed.update(text)) this.element.replaceChildren();
    const blocks = isComplete ? renderer.kept(text) : null;
    if (blocks) this.#take(text, true, blocks);
    else this.#showTail();
    this.#ask();
  }

  #ask() {
    if (this.#isAsking) return;
    const isComplete = this.#isComplete;
    const source = this.#streamed.next(isComplete);
    if (source === null) return;
    const wait = isComplete ? 0 : this.#next - performance.now();
    this.#isAsking = true;
    if (wait > 0) {
      setTimeout(() => ((this.#isAsking = false), this.#ask()), wait);
      return;
    }
    const text = this.#streamed.text;
    renderer.render(source, (blocks) => {
      this.#isAsking = false;
      this.#next = performance.now() + PAUSE;
      const isOutdated = isComplete ? text !== this.#streamed.text : !this.#streamed.text.startsWith(text);
      if (!isOutdated && !this.#streamed.isWhole) this.#take(source, isComplete, blocks);
      this.#ask();
    });
  }

  #take(source, isComplete, blocks) {
    keepSelection(this.element, () => {
      this.#tail.element.remove();
      const same = this.#streamed.rendered(source, isComplete, blocks);
      const wanted = this.#streamed.blocks.slice(same).map((html) => decorated(html, isComplete));
      patchChildren(this.element, wanted, same);
      if (isComplete) levelHeadings(this.element);
      this.#showTail();
    });
  }

  /** Shows what is not rendered yet, in the block that it probably continues. */
  #showTail() {
    const { tail, blocks } = this.#streamed;
    if (tail) this.#tail.show(tail, blocks.length ? innermost(this.element, this.#tail.element) : this.element);
    else {
      this.#tail.element.remove();
      this.#tail.clear();
    }
  }
}

/** Leaves no level of headings out below the page's title, whatever the author did, for those who move by headings. */
function levelHeadings(element) {
  let before = 1;
  for (const heading of element.querySelectorAll("h2, h3, h4, h5, h6")) {
    const own = Number(heading.localName[1]);
    const level = Math.min(own, before + 1);
    if (level !== own) heading.setAttribute("aria-level", level);
    before = level;
  }
}

function innermost(element, tail) {
  const last = element.lastElementChild === tail ? tail.previousElementSibling : element.lastElementChild;
  const isInto = last && (INTO.has(last.nodeName) || (last.className === "piece" && !last.textContent.endsWith("\n")));
  return isInto && !isBefore(last, tail) ? innermost(last, tail) : element;
}

/** True for an element after which there is more text, such as code within a line. */
function isBefore(element, tail) {
  return element.nextSibling !== null && element.nextSibling !== tail && Boolean(element.nextSibling.textContent.trim());
}
