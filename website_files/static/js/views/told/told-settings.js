/** The switches for notifications and the sound; and the offer of the first during a turn that takes long. */

import { t } from "../../core/words.js";
import { button, h, icon, setText } from "../shared/dom.js";

export class ToldSettings {
  #notify = h("input", { type: "checkbox", role: "switch", onchange: () => this.#telling.setNotifies(this.#notify.checked) });
  #sound = h("input", { type: "checkbox", role: "switch", onchange: () => this.#telling.setSounds(this.#sound.checked) });
  #note = h("p", { class: "told-note", role: "status" });
  #telling;

  /** @param {import("../../app/telling.js").Telling} telling */
  constructor(telling) {
    this.#telling = telling;
    this.element = h(
      "section",
      { class: "told-settings" },
      h("h2", {}, t`When you are not looking`),
      h("label", { class: "told-switch" }, this.#notify, t`Notify me of answers and questions`),
      h("label", { class: "told-switch" }, this.#sound, t`Play a sound`),
      this.#note,
    );
  }

  update() {
    const { notifies, sounds, canNotify, isBlocked } = this.#telling;
    this.#notify.checked = notifies;
    this.#notify.disabled = !canNotify || isBlocked;
    this.#sound.checked = sounds;
    const why = isBlocked ? t`Your browser blocks notifications of this page.` : t`Notifications need https.`;
    setText(this.#note, canNotify && !isBlocked ? "" : why);
  }
}

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
