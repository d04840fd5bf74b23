/** The place in the conversation that the reader sees, and what comes when they get near it. */

const AT_END = 60; // pixels from the end that count as the end
const NEAR = "1500px"; // from what is in view

/** Whether the reader is at the end of the conversation that the element is in. */
export function isAtEnd(element) {
  const scroller = element.closest(".scroller");
  return !scroller || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_END;
}

/** Runs `act`, which changes what is above what the reader sees; that stays where it is. */
export function keepEnd(element, act) {
  const scroller = element.closest(".scroller");
  const toEnd = scroller.scrollHeight - scroller.scrollTop;
  act();
  scroller.scrollTop = scroller.scrollHeight - toEnd;
}

/** Calls `act` whenever an element is near what the reader sees, until it isn't any more. It may be put in place later. */
export function whenNear(element, act) {
  const seen = (entries, observer) => {
    if (!entries.at(-1).isIntersecting) return;
    act();
    observer.unobserve(element); // to be told once more, if it is still near
    observer.observe(element);
  };
  queueMicrotask(() => {
    new IntersectionObserver(seen, { root: element.closest(".scroller"), rootMargin: NEAR }).observe(element);
  });
}
