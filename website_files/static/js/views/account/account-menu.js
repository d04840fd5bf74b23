/** Menu of the person's own account, where people log in. */

import { leftToday, roleWords } from "./words.js";
import { t } from "../../core/words.js";
import { logOut } from "../../transport/account-api.js";
import { forgetTexts } from "../../transport/own-texts.js";
import { button, createAvatar, h, paintAvatar, setText } from "../shared/dom.js";
import { Popover } from "../shared/popover.js";

export class AccountMenu {
  #element;
  #avatar = createAvatar();
  #name = h("span", { class: "account-name one-line", dir: "auto" });
  #roles = h("span", { class: "account-about one-line" });
  #login = h("p", { class: "account-about one-line", dir: "auto" });
  #left = h("p", { class: "account-about" });
  #leaving = [
    button("menu-item", () => this.#leave(false), t`Log out`),
    button("menu-item", () => this.#leave(true), t`Log out everywhere`),
  ];
  #problem = h("p", { class: "field-problem", role: "alert" });
  #profile;
  #admin = h("a", { class: "menu-item", href: "./admin" }, t`Administration`);
  #popover;

  /**
   * @param {{profile(): void, opened(): void}} intents `profile` opens the profile; `opened` is called when the menu is,
   *   to find out what is left of the day
   */
  constructor(element, { profile, opened }) {
    this.#element = element;
    this.#profile = button("menu-item", () => (this.#popover.hide(), profile()), t`Your profile`);
    this.#popover = new Popover(
      { class: "popover account-menu", role: "group", "aria-label": t`Your account` },
      { gap: 4, align: "start", opened: () => this.#profile.focus() },
      h("div", { class: "account-head" }, this.#login, this.#left),
      this.#profile,
      this.#admin,
      ...this.#leaving,
      this.#problem,
    );
    const words = h("span", { class: "account-words" }, this.#name, this.#roles);
    const opener = button("account-button", null, this.#avatar, words);
    opener.title = t`Your account`;
    this.#popover.attach(opener, () => (setText(this.#problem, ""), opened()));
    element.replaceChildren(opener, this.#popover.element);
  }

  /** @param {import("../../transport/account-api.js").Me|null} me null where nobody has to log in */
  update(me) {
    this.#element.hidden = !me;
    if (!me) return;
    const name = me.name || me.login;
    paintAvatar(this.#avatar, name, me.colour);
    setText(this.#name, name);
    setText(this.#roles, roleWords(me.roles));
    setText(this.#login, me.login);
    this.#admin.hidden = !me.roles.includes("admin");
    for (const item of this.#leaving) item.hidden = !me.can_log_out;
    const left = leftToday(me.usage);
    setText(this.#left, left && t`Left today: ${left}`);
  }

  async #leave(everywhere) {
    try {
      await logOut(everywhere);
    } catch (error) {
      return setText(this.#problem, error.message);
    }
    forgetTexts(); // whoever comes next is not meant to see them
    location.replace("./login");
  }
}
