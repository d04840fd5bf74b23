/** A block that is open while something happens in it, and closed after; unless the reader opened or closed it. */

export class Unfolding {
  #element;
  #isChosen = false;

  /** @param {HTMLDetailsElement} element */
  constructor(element) {
    this.#element = element;
    element.querySelector("summary").addEventListener("click", () => (this.#isChosen = true));
  }

  update(isLive) {
    if (!this.#isChosen && this.#element.open !== isLive) this.#element.open = isLive;
  }
}
