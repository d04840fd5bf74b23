/** A fault of the page itself is said in words, on the page, instead of only in the console. */

import { h, icon } from "./dom.js";

const HARMLESS = /ResizeObserver loop/;

export function showFaults(container) {
  addEventListener("error", ({ message }) => show(container, message));
  addEventListener("unhandledrejection", ({ reason }) => show(container, reason?.message ?? String(reason)));
}

function show(container, message) {
  if (!message || HARMLESS.test(message) || container.children.length >= 3) return;
  const close = { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: () => notice.remove() };
  const words = `${message}. Reloading it is safe: nothing is lost.`;
  const notice = h(
    "div",
    { class: "notice", role: "alert" },
    icon("alert"),
    h("p", {}, h("strong", {}, "Something went wrong on this page. "), words),
    h("button", close, icon("cross")),
  );
  container.append(notice);
}
