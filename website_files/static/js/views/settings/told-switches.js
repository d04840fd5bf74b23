/** The switches for notifications and the sound. */

import { t } from "../../core/words.js";
import { h, setText } from "../shared/dom.js";

export class ToldSwitches {
  #notify = h("input", { type: "checkbox", role: "switch", onchange: () => this.#telling.setNotifies(this.#notify.checked) });
  #sound = h("input", { type: "checkbox", role: "switch", onchange: () => this.#telling.setSounds(this.#sound.checked) });
  #note = h("p", { class: "setting-note", role: "status" });
  #telling;

  /** @param {import("../../app/telling.js").Telling} telling */
  constructor(telling) {
    this.#telling = telling;
    this.element = h(
      "section",
      { class: "told-switches" },
      h("h3", {}, t`When you are not looking`),
      h("label", { class: "switch" }, this.#notify, t`Notify me of answers and questions`),
      h("label", { class: "switch" }, this.#sound, t`Play a sound`),
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
