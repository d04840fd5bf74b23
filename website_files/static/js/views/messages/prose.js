/** Shows Markdown. The server renders it; until it has, and while a text streams in, the latest part is shown as it is. */

import { StreamedText } from "../../core/streamed-text.js";
import { renderer } from "../../transport/rendering-api.js";
import { h } from "../shared/dom.js";
import { keepSelection, patchChildren } from "../shared/patch.js";
import { decorated } from "./prose-blocks.js";

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
  #tail = h("span", { class: "prose-tail" }, "");
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
      this.#tail.remove();
      const same = this.#streamed.rendered(source, isComplete, blocks);
      patchChildren(this.element, this.#streamed.blocks.slice(same).map(decorated), same);
      this.#showTail();
    });
  }

  /** Shows what is not rendered yet, in the block that it probably continues. */
  #showTail() {
    const { tail, blocks } = this.#streamed;
    if (!tail) this.#tail.remove();
    else if (this.element.contains(this.#tail) && tail.startsWith(this.#tail.firstChild.data)) {
      this.#tail.firstChild.appendData(tail.slice(this.#tail.firstChild.length));
    } else {
      this.#tail.replaceChildren(tail);
      (blocks.length ? innermost(this.element) : this.element).append(this.#tail);
    }
  }
}

function innermost(element) {
  const last = element.lastElementChild;
  return last && INTO.has(last.nodeName) ? innermost(last) : element;
}
