/** The dialog that lists the keys of the page. */

import { KEYS, placeWords } from "../../core/keys.js";
import { t } from "../../core/words.js";
import { h, iconButton } from "../shared/dom.js";

const SIGNS = { ArrowUp: "↑", ArrowDown: "↓", ArrowRight: "→", ContextMenu: "☰", Escape: "Esc", Cmd: "⌘", p: "P" };

export class KeysDialog {
  element = h("dialog", { class: "keys-dialog", onclick: (event) => event.target === this.element && this.element.close() });

  open() {
    const title = h("h2", { id: "keys-title" }, t`Keys`);
    const close = iconButton("", t`Close`, "cross", () => this.element.close());
    const groups = [...new Set(KEYS.map(({ place }) => place))].map(section);
    this.element.setAttribute("aria-labelledby", "keys-title");
    this.element.replaceChildren(h("header", {}, title, close), ...groups);
    if (!this.element.open) this.element.showModal();
  }
}

function section(place) {
  const own = KEYS.filter((each) => each.place === place);
  const rows = own.flatMap(({ keys, words }) => [h("dt", {}, ...keys.filter(isHere).map(shown)), h("dd", {}, words())]);
  return h("section", {}, h("h3", {}, placeWords(place)), h("dl", {}, ...rows));
}

/** A Mac has Cmd where others have Ctrl. */
function isHere(key) {
  return key.startsWith("Cmd+") ? isMac() : !key.startsWith("Ctrl+") || !isMac();
}

function shown(key) {
  return h("span", { class: "key-names" }, ...key.split("+").map((name) => h("kbd", {}, SIGNS[name] ?? name)));
}

function isMac() {
  return /Mac|iPhone|iPad/.test(navigator.platform);
}
