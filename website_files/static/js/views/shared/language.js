/** The language of the page, which the server has chosen by a cookie or by the browser's wishes. A person may choose another. */

import { useLanguage } from "../../core/words.js";
import { choose, chosen, whenChosen } from "./choices.js";

const CHOICE = "language";

/** Takes the page's language with its sentences. Called once, before anything is shown. */
export async function loadLanguage() {
  const { lang } = document.documentElement;
  const link = document.querySelector("link.sentences");
  const answer = link && (await fetch(link.href).catch(() => null)); // without its sentences, the page speaks English
  const region = navigator.languages.find((each) => each.split("-")[0] === lang); // for dates: en-GB
  useLanguage(region ?? lang, answer?.ok ? await answer.json() : {});
  whenChosen(CHOICE, () => chosenLanguage() === lang || location.reload());
}

/** The names of the languages that this server has: `["ar", "de", "en"]`. */
export function languageNames() {
  return (document.documentElement.dataset.languages ?? "en").split(" ");
}

/** A language in its own words: `Deutsch`. */
export function languageTitle(name) {
  const title = new Intl.DisplayNames([name], { type: "language" }).of(name);
  return title[0].toLocaleUpperCase(name) + title.slice(1);
}

/** Keeps a choice and shows the page in that language. Without a name, the browser's own wishes count again. */
export function chooseLanguage(name) {
  choose(CHOICE, name);
  location.reload();
}

/** The language that somebody has chosen in this browser; null if it follows the browser's wishes. */
export function chosenLanguage() {
  return chosen(CHOICE);
}
