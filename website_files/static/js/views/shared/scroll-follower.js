/** Scrolling belongs to the reader: the end is followed only while it is in sight. */

import { setText } from "./dom.js";

const NEAR = 60; // pixels that still count as the end when scrolling down to it
const TOUCHING = 4; // pixels: whoever scrolls up further than that wants to read there
const OPENS = "summary, .message-edit, .approval-edit, .diff-more"; // what makes room where it is clicked

export class Follower {
  #scroller;
  #button;
  #isOn = false;
  #isFollowing = false;
  #isHeld = false;
  #top = 0;
  #height = 0;
  #hasNews = false;

  constructor(scroller, content, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener("scroll", () => this.#isOn && this.#scrolled(), { passive: true });
    content.addEventListener("click", (event) => event.target.closest(OPENS) && this.#hold(), true);
    button.addEventListener("click", () => this.toEnd());
    const observer = new ResizeObserver(() => this.#isOn && this.#resized());
    observer.observe(content);
    observer.observe(scroller);
  }

  /** Shows something that is read from its beginning, and follows nothing. */
  toStart() {
    this.#isOn = this.#isFollowing = false;
    this.#scroller.scrollTo({ top: 0, behavior: "instant" });
    this.#button.hidden = true;
  }

  /** Goes to the end and stays there. At once: on a smooth way the end would move. */
  toEnd() {
    this.#isOn = this.#isFollowing = true;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: "instant" });
    this.#button.hidden = true;
  }

  /** Something was added; to be told apart from what only takes more room than before. */
  tell() {
    this.#hasNews = true;
  }

  // Internal

  #scrolled() {
    const { scrollTop } = this.#scroller;
    if (scrollTop < this.#top - 1) this.#isFollowing = this.#gap < TOUCHING;
    else if (this.#gap < NEAR) this.#isFollowing = true;
    this.#top = scrollTop;
    if (this.#isFollowing) this.#button.hidden = true;
    else this.#offer();
  }

  #resized() {
    const isNew = this.#hasNews && this.#scroller.scrollHeight > this.#height;
    this.#height = this.#scroller.scrollHeight;
    this.#hasNews = false;
    if (this.#isHeld) this.#isFollowing = this.#gap < TOUCHING;
    else if (this.#isFollowing) this.toEnd();
    else this.#offer(isNew);
  }

  #offer(isNew = false) {
    if (this.#button.hidden || isNew) setText(this.#button.lastElementChild, isNew ? "New messages" : "To the end");
    this.#button.hidden = this.#gap < NEAR;
  }

  /** A card that the reader opens must stay where it is. */
  #hold() {
    this.#isHeld = true;
    setTimeout(() => (this.#isHeld = false), 250);
  }

  get #gap() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }
}
