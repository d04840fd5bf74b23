/** The choice of the page's theme, for this browser. */

import { t } from "../../core/words.js";
import { h } from "../shared/dom.js";
import { chooseTheme, chosenTheme, followTheme } from "../shared/theme.js";

/** A group of choices, the system's own theme first. */
export function themeSetting() {
  const names = [["", t`System`], ["light", t`Light`], ["dark", t`Dark`]];
  const radios = names.map(([value]) => h("input", { type: "radio", name: "theme", value, onchange: () => chooseTheme(value || null) }));
  const show = () => radios.forEach((radio) => (radio.checked = radio.value === (chosenTheme() ?? "")));
  followTheme(show);
  show();
  const choices = names.map(([, words], place) => h("label", { class: "theme-choice" }, radios[place], words));
  return h("fieldset", { class: "setting theme-setting" }, h("legend", {}, t`Theme`), h("div", { class: "theme-choices" }, ...choices));
}
