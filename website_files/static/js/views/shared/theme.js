/** The page's theme. The server writes the one that was chosen into the page, so that no other is seen first. */

import { choose, chosen, whenChosen } from "./choices.js";
import { setAttribute } from "./dom.js";

const CHOICE = "theme";

/** Shows what is chosen in other tabs from now on, calling `changed`. */
export function followTheme(changed = () => {}) {
  const heard = () => (show(), changed());
  whenChosen(CHOICE, heard);
  addEventListener("pageshow", ({ persisted }) => persisted && heard()); // it may have been chosen meanwhile
}

/** "light" or "dark"; null if the page follows the system. */
export function chosenTheme() {
  return chosen(CHOICE);
}

export function chooseTheme(name) {
  choose(CHOICE, name);
  show();
}

function show() {
  setAttribute(document.documentElement, "data-theme", chosenTheme());
}
