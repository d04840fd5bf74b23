/** The choice of the page's language, for this browser. */

import { t } from "../../core/words.js";
import { h } from "../shared/dom.js";
import { chooseLanguage, chosenLanguage, languageNames, languageTitle } from "../shared/language.js";

/** A labelled list of the languages, the browser's own wish first. @param {() => void} chosen called before the page reloads */
export function languageSetting(chosen) {
  const options = languageNames().map((name) => h("option", { value: name, lang: name }, languageTitle(name)));
  const select = h("select", { class: "field" }, h("option", { value: "" }, t`As the browser wishes`), ...options);
  select.value = chosenLanguage() ?? "";
  select.addEventListener("change", () => (chosen(), chooseLanguage(select.value || null)));
  return h("label", { class: "setting language-setting" }, t`Language`, select);
}
