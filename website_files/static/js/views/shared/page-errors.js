/** Shows uncaught errors of the page itself to the person, not just in the console. */

import { t } from "../../core/words.js";
import { h, icon, iconButton } from "./dom.js";

const HARMLESS = /ResizeObserver loop/;

export function showPageErrors(container) {
  addEventListener("error", ({ message }) => show(container, message));
  addEventListener("unhandledrejection", ({ reason }) => show(container, reason?.message ?? String(reason)));
}

function show(container, message) {
  if (!message || HARMLESS.test(message) || container.children.length >= 3) return;
  const words = ` ${t`${message}. Reloading it is safe: nothing is lost.`}`;
  const box = h(
    "div",
    { class: "card page-error", role: "alert" },
    icon("alert"),
    h("p", {}, h("strong", {}, t`Something went wrong on this page.`), words),
    iconButton("", t`Dismiss`, "cross", () => box.remove()),
  );
  container.append(box);
}
