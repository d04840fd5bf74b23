/** The person's tokens for programs: made, shown once, and revoked. */

import { day, fullTime, since } from "../../core/format.js";
import { t } from "../../core/words.js";
import { fetchTokens, makeToken, revokeToken } from "../../transport/account-api.js";
import { CopyButton } from "../shared/copy-button.js";
import { button, h, setText } from "../shared/dom.js";
import { InlineConfirm } from "../shared/inline-form.js";
import { Field, Form, SelectField } from "../shared/labelled-form.js";

const NAME_CHARS = 100;

export class TokenList {
  #isOperator;
  #list = h("ul", { class: "own-list", "aria-label": t`Your tokens` });
  #note = h("p", { class: "field-problem", role: "status" });
  #add = button("text-button", () => this.#open(), t`New token`);
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
    const about = [scopeName(scope), used ? t`last used ${since(used)}` : t`never used`, expires && t`ends ${day(expires)}`];
    const words = h(
      "span",
      { class: "own-words" },
      h("span", { dir: "auto" }, name),
      h("span", { class: "own-about", title: fullTime(used) }, about.filter(Boolean).join(" · ")),
    );
    const revoke = button("text-button", () => ask(), t`Revoke`);
    revoke.setAttribute("aria-label", t`Revoke ${name}`);
    const row = h("li", {}, words, revoke);
    const ask = () => {
      const question = new InlineConfirm({
        words: t`Revoke ${name}? Its program is cut off at once.`,
        yes: t`Revoke`,
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
    const name = new Field({ label: t`Name of the program`, maxlength: NAME_CHARS, required: true });
    const scope = new SelectField({ label: t`It may`, options: scopes(this.#isOperator) });
    const days = new SelectField({ label: t`It ends`, options: ends() });
    const form = new Form({
      fields: [name, scope, days],
      save: t`Make the token`,
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
    const copy = new CopyButton(() => token, t`Copy the token`);
    const code = h("code", { class: "own-token", tabindex: 0 }, token);
    const note = h("p", { role: "status" }, t`Copy it now: it is never shown again.`);
    const done = button("quiet-button", () => this.#close(), t`Done`);
    this.#foot.replaceChildren(h("div", { class: "form-box" }, note, code, h("div", { class: "field-actions" }, copy.element, done)));
    copy.element.focus();
  }

  #close() {
    this.#foot.replaceChildren(this.#add);
    this.#add.focus();
  }
}

function scopes(isOperator) {
  const all = [["read", t`Read`], ["write", t`Read and write`], ["operator", t`Also work at the desk`]];
  return isOperator ? all : all.slice(0, 2);
}

function scopeName(scope) {
  return { read: t`read`, write: t`write`, operator: t`operator` }[scope] ?? scope;
}

function ends() {
  return [["30", t`After 30 days`], ["90", t`After 90 days`], ["365", t`After a year`], ["", t`When it is revoked`]];
}
