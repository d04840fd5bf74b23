/** The person's logins in browsers, each of which can be ended. */

import { browserName } from "./words.js";
import { fullTime, since } from "../../core/format.js";
import { t } from "../../core/words.js";
import { endLogin, fetchLogins } from "../../transport/account-api.js";
import { button, h, setText } from "../shared/dom.js";

export class LoginList {
  #list = h("ul", { class: "own-list", "aria-label": t`Your logins` });
  #note = h("p", { class: "field-problem", role: "status" });
  element = h("div", {}, this.#list, this.#note);

  async refresh() {
    try {
      const { logins } = await fetchLogins();
      this.#list.replaceChildren(...logins.map((login) => this.#row(login)));
      setText(this.#note, "");
    } catch (error) {
      setText(this.#note, error.message);
    }
  }

  #row({ id, browser, address, last_seen: seen, current }) {
    const about = [address, current ? t`this browser` : t`last used ${since(seen)}`].filter(Boolean).join(" · ");
    const name = browserName(browser);
    const end = button("text-button", () => this.#end(id), t`End`);
    end.setAttribute("aria-label", t`End the login of ${name}`);
    const words = h("span", { class: "own-words" }, name, h("span", { class: "own-about", title: fullTime(seen) }, about));
    return h("li", {}, words, current ? null : end);
  }

  async #end(id) {
    try {
      await endLogin(id);
    } catch (error) {
      if (error.code !== "not_found") return setText(this.#note, error.message);
    }
    await this.refresh();
    this.#list.querySelector("button")?.focus();
  }
}
