/** Menu with actions on a conversation. One menu serves all entries of the list. */

import { t } from "../../core/words.js";
import { exportAddress } from "../../transport/rest-api.js";
import { button, h, setText } from "../shared/dom.js";
import { Popover } from "../shared/popover.js";

const FORMATS = { markdown: "Markdown", html: "HTML", json: "JSON" };

export class ConversationMenu {
  #row = null;
  #links = Object.entries(FORMATS).map(([format, name]) => [
    format,
    h("a", { class: "menu-item", download: true, onclick: () => this.#popover.hide() }, t`Export as ${name}`),
  ]);
  #rename = button("menu-item", () => this.#choose((row) => row.rename()), t`Rename`);
  #share = button("menu-item", () => this.#choose((row) => row.share()), t`Share…`);
  #pin = button("menu-item", () => this.#choose((row) => row.pin()));
  #end = button("menu-item menu-item-danger", () => this.#choose((row) => row.end()));
  #popover = new Popover(
    { class: "popover conversation-menu", role: "group" },
    { gap: 4, align: "end", opened: () => this.element.querySelector(".menu-item:not([hidden])").focus() },
    this.#pin,
    this.#rename,
    this.#share,
    ...this.#links.map(([, link]) => link),
    this.#end,
  );
  element = this.#popover.element;

  /** Makes a button open the menu for a row of the list. */
  attach(opener, row) {
    this.#popover.attach(opener, () => {
      this.#row = row;
      this.element.setAttribute("aria-label", opener.getAttribute("aria-label"));
      this.#rename.hidden = row.role === "viewer";
      this.#share.hidden = !row.role;
      setText(this.#share, row.isOwn ? t`Share…` : t`Who sees it…`);
      setText(this.#pin, row.isPinned ? t`Unpin` : t`Pin`);
      setText(this.#end, row.isOwn ? t`Delete` : t`Leave`);
      for (const [format, link] of this.#links) link.href = exportAddress(row.id, format);
    });
  }

  #choose(act) {
    this.#popover.hide();
    act(this.#row);
  }
}
