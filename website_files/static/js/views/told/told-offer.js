/** The offer of notifications during a turn that takes long. */

import { t } from "../../core/words.js";
import { button, h, icon, setText } from "../shared/dom.js";

export class ToldOffer {
  #words = h("p", {});
  #yes;
  #no;

  /** @param {import("../../app/telling.js").Telling} telling @param {() => void} refocus */
  constructor(telling, refocus) {
    this.#yes = button("outline-button", () => (telling.setNotifies(true), refocus()), "");
    this.#no = button("quiet-button", () => (telling.dismissOffer(), refocus()), "");
    this.element = h("div", { class: "card banner told-offer", role: "status", hidden: true }, icon("alert"), this.#words, this.#yes, this.#no);
  }

  update(isOffered) {
    this.element.hidden = !isOffered;
    setText(this.#words, isOffered ? t`This takes a while. Shall the browser tell you when it is done?` : "");
    setText(this.#yes, t`Tell me`);
    setText(this.#no, t`No, thanks`);
  }
}
