/** The person's tokens for programs: made, shown once, and revoked. */

import { fullTime } from "../../core/format.js";
import { fetchTokens, makeToken, revokeToken } from "../../transport/account-api.js";
import { CopyButton } from "../shared/copy-button.js";
import { button, h, setText } from "../shared/dom.js";
import { InlineConfirm } from "../shared/inline-form.js";
import { Field, Form, SelectField } from "../shared/labelled-form.js";
import { since } from "./login-list.js";

const NAME_CHARS = 100;
const SCOPES = [["read", "Read"], ["write", "Read and write"], ["operator", "Also work at the desk"]];
const ENDS = [["30", "After 30 days"], ["90", "After 90 days"], ["365", "After a year"], ["", "When it is revoked"]];

export class TokenList {
  #isOperator;
  #list = h("ul", { class: "own-list", "aria-label": "Your tokens" });
  #note = h("p", { class: "field-problem", role: "status" });
  #add = button("text-button", () => this.#open(), "New token");
  #foot = h("div", {}, this.#add);
  element = h("div", {}, this.#list, this.#note, this.#foot);

  constructor(isOperator) {
    this.#isOperator = isOperator;
  }

  async refresh() {
    try {
      const { tokens } = await fetchTokens();
      this.#list.replaceChildren(...tokens.map((token) => this.#row(token)));
      setText(this.#note, "");
    } catch (error) {
      setText(this.#note, error.message);
    }
  }

  #row({ id, name, scope, expires, last_used: used }) {
    const about = [scope, used ? `last used ${since(used)}` : "never used", expires && `ends ${day(expires)}`];
    const words = h(
      "span",
      { class: "own-words" },
      h("span", { dir: "auto" }, name),
      h("span", { class: "own-about", title: fullTime(used) }, about.filter(Boolean).join(" · ")),
    );
    const revoke = button("text-button", () => ask(), "Revoke");
    revoke.setAttribute("aria-label", `Revoke ${name}`);
    const row = h("li", {}, words, revoke);
    const ask = () => {
      const question = new InlineConfirm({
        words: `Revoke ${name}? Its program is cut off at once.`,
        yes: "Revoke",
        act: () => this.#revoke(id),
        cancel: () => (row.replaceChildren(words, revoke), revoke.focus()),
      });
      row.replaceChildren(question.element);
      question.focus();
    };
    return row;
  }

  async #revoke(id) {
    try {
      await revokeToken(id);
    } catch (error) {
      if (error.code !== "not_found") throw error;
    }
    await this.refresh();
    this.#add.focus();
  }

  #open() {
    const name = new Field({ label: "Name of the program", maxlength: NAME_CHARS, required: true });
    const scope = new SelectField({ label: "It may", options: this.#isOperator ? SCOPES : SCOPES.slice(0, 2) });
    const days = new SelectField({ label: "It ends", options: ENDS });
    const form = new Form({
      fields: [name, scope, days],
      save: "Make the token",
      cancel: () => this.#close(),
      done: async () => {
        const { token } = await makeToken(name.value.trim(), scope.value, Number(days.value));
        this.#show(token);
        await this.refresh();
      },
    });
    this.#foot.replaceChildren(h("div", { class: "form-box" }, form.element));
    form.focus();
  }

  #show(token) {
    const copy = new CopyButton(() => token, "Copy the token");
    const code = h("code", { class: "own-token", tabindex: 0 }, token);
    const note = h("p", { role: "status" }, "Copy it now: it is never shown again.");
    const done = button("quiet-button", () => this.#close(), "Done");
    this.#foot.replaceChildren(h("div", { class: "form-box" }, note, code, h("div", { class: "field-actions" }, copy.element, done)));
    copy.element.focus();
  }

  #close() {
    this.#foot.replaceChildren(this.#add);
    this.#add.focus();
  }
}

function day(ts) {
  return new Date(ts).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}
