/** Follows the end of a growing conversation, but only while the reader has it in view. */

import { t } from "../../core/words.js";
import { setText } from "./dom.js";

const NEAR = 60; // pixels from the end that count as the end when scrolling down
const TOUCHING = 4; // pixels; scrolling up further than this stops following
const OPENS = "summary, .message-edit, .approval-edit, .diff-more"; // elements that expand when clicked

export class ScrollFollower {
  #scroller;
  #button;
  #isOn = false;
  #isFollowing = false;
  #isPaused = false;
  #top = 0;
  #height = 0;
  #hasNewContent = false;

  constructor(scroller, content, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener("scroll", () => this.#isOn && this.#scrolled(), { passive: true });
    content.addEventListener("click", (event) => event.target.closest(OPENS) && this.#pause(), true);
    button.addEventListener("click", () => this.toEnd());
    const observer = new ResizeObserver(() => this.#isOn && this.#resized());
    observer.observe(content);
    observer.observe(scroller);
  }

  /** Scrolls to the start and stops following. */
  toStart() {
    this.#isOn = this.#isFollowing = false;
    this.#scroller.scrollTo({ top: 0, behavior: "instant" });
    this.#button.hidden = true;
  }

  /** Scrolls to the end and stays there. Not smoothly, as the end would move meanwhile. */
  toEnd() {
    this.#isOn = this.#isFollowing = true;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: "instant" });
    this.#button.hidden = true;
  }

  /** Stops following: the reader is taken elsewhere. */
  leave() {
    this.#isFollowing = false;
    this.#isPaused = false;
  }

  /** True while the end is followed. */
  get isFollowing() {
    return this.#isFollowing;
  }

  /** Reports that something new was added, as opposed to something that only expanded. */
  contentAdded() {
    this.#hasNewContent = true;
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
    const isNew = this.#hasNewContent && this.#scroller.scrollHeight > this.#height;
    this.#height = this.#scroller.scrollHeight;
    this.#hasNewContent = false;
    if (this.#isPaused) this.#isFollowing = this.#gap < TOUCHING;
    else if (this.#isFollowing) this.toEnd();
    else this.#offer(isNew);
  }

  #offer(isNew = false) {
    if (this.#button.hidden || isNew) setText(this.#button.lastElementChild, isNew ? t`New messages` : t`To the end`);
    this.#button.hidden = this.#gap < NEAR;
  }

  /** Pauses following, so that a card stays in place when the reader opens it. */
  #pause() {
    this.#isPaused = true;
    setTimeout(() => (this.#isPaused = false), 250);
  }

  get #gap() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }
}
