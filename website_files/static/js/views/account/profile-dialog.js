/** Dialog with all that belongs to the person's account. */

import { t } from "../../core/words.js";
import { EXPORT_ADDRESS, changePassword, deleteMe } from "../../transport/account-api.js";
import { forgetTexts } from "../../transport/own-texts.js";
import { eraseMemory, fetchMemory, writeNote } from "../../transport/rest-api.js";
import { MemoryPanel } from "../panels/memory-panel.js";
import { button, h, iconButton, setText } from "../shared/dom.js";
import { Form, LoginField, PasswordField } from "../shared/labelled-form.js";
import { LoginList } from "./login-list.js";
import { ProfileForm } from "./profile-form.js";
import { TokenList } from "./token-list.js";

export class ProfileDialog {
  #save;
  #element = h("dialog", { class: "card profile thin-scrollbar", "aria-labelledby": "profile-title" });
  #note = h("p", { class: "profile-note", role: "status" });

  /** @param {(changes: {name: string, colour: string, language: string}) => Promise} save changes the profile */
  constructor(save) {
    this.#save = save;
    this.#element.addEventListener("close", () => this.#element.replaceChildren()); // no password or token stays in it
    document.body.append(this.#element);
  }

  /** @param {import("../../transport/account-api.js").Me} me */
  open(me) {
    const memory = h("section", { class: "memory" }, h("h3", {}, t`What agents remember about you`));
    const notes = new MemoryPanel(memory, {
      fetch: () => fetchMemory(""),
      erase: (key) => eraseMemory("", key),
      write: (key, value) => writeNote("", key, value),
      isForAccount: true,
    });
    const logins = new LoginList();
    const tokens = new TokenList(me.roles.includes("operator"));
    this.#tell("");
    this.#element.replaceChildren(
      h(
        "header",
        { class: "profile-head" },
        h("h2", { id: "profile-title" }, t`Your profile`),
        iconButton("profile-close", t`Close`, "cross", () => this.#element.close()),
      ),
      this.#note,
      new ProfileForm(me, (changes) => this.#saved(changes)).element,
      memory,
      section(t`Where you are logged in`, logins.element),
      section(t`Tokens for programs`, tokens.element),
      me.has_password ? this.#password(me) : null,
      this.#data(me),
    );
    this.#element.showModal();
    this.#element.scrollTop = 0;
    for (const list of [notes, logins, tokens]) list.refresh();
  }

  // Internal

  #tell(words) {
    setText(this.#note, words);
  }

  async #saved(changes) {
    await this.#save(changes);
    this.#tell(t`Saved.`);
  }

  #password({ login }) {
    const name = new LoginField({ value: login, readonly: true });
    const old = new PasswordField({ label: t`Password now`, autocomplete: "current-password" });
    const next = new PasswordField({ label: t`New password`, autocomplete: "new-password" });
    const again = new PasswordField({ label: t`New password again`, autocomplete: "new-password" });
    return this.#folded(t`Password`, t`Change password`, (close) => ({
      fields: [name, old, next, again],
      save: t`Change it`,
      done: async () => {
        if (next.value !== again.value) throw new Error(t`The two new passwords are not the same.`);
        await changePassword(old.value, next.value);
        close();
        this.#tell(t`Your password is changed. You are logged out everywhere else.`);
      },
    }));
  }

  #data({ has_password: hasPassword }) {
    const confirm = hasPassword
      ? new PasswordField({ label: t`Your password`, autocomplete: "current-password" })
      : new LoginField({ label: t`Your login name, to be sure`, autocomplete: "off" });
    const element = this.#folded(t`All that is yours`, t`Delete all that is yours`, () => ({
      note: t`Your conversations with their files, what is remembered about you, your tokens and the account itself are deleted. Nobody can bring them back.`,
      fields: [confirm],
      save: t`Delete all`,
      isDanger: true,
      done: async () => {
        await deleteMe(confirm.value);
        forgetTexts();
        location.replace("./login");
      },
    }));
    element.querySelector("h3").after(h("a", { class: "text-button", href: EXPORT_ADDRESS, download: true }, t`Download all that is yours`));
    return element;
  }

  /** A section with a button that opens a form, and comes back when the form closes. */
  #folded(title, words, options) {
    const place = h("div", {});
    const opener = button("text-button", () => open(), words);
    const close = () => (place.replaceChildren(opener), opener.focus());
    const open = () => {
      const form = new Form({ ...options(close), cancel: close });
      place.replaceChildren(h("div", { class: "form-box" }, form.element));
      form.focus();
    };
    place.append(opener);
    return section(title, place);
  }
}

function section(title, ...children) {
  return h("section", {}, h("h3", {}, title), ...children);
}
