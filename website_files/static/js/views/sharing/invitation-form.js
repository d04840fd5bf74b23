/** The form that makes a link into a conversation, and shows it once. */

import { t } from "../../core/words.js";
import { pathHere } from "../../transport/page-address.js";
import { CopyButton } from "../shared/copy-button.js";
import { h, setText } from "../shared/dom.js";
import { roles } from "./rights.js";

const USUAL_END = 168;

export class InvitationForm {
  #role = select(t`What they may do`, Object.entries(roles()));
  #hours = select(t`For how long`, ends());
  #save = h("button", { type: "submit", class: "solid-button" }, t`Make a link`);
  #problem = h("p", { class: "field-problem", role: "alert" });
  #link = h("input", { class: "field", readonly: true, "aria-label": t`Link`, onfocus: ({ target }) => target.select() });
  #copy = new CopyButton(() => this.#link.value, t`Copy link`, t`Copy link`);
  #made = h(
    "div",
    { class: "made-link", hidden: true },
    h("div", { class: "made-link-row" }, this.#link, this.#copy.element),
    h("p", {}, t`Whoever opens this link and logs in is in. It is shown only now, so copy it.`),
  );

  /** @param {(role: string, hours: number) => Promise<string>} invite resolves to the path of the link */
  constructor(invite) {
    const submit = (event) => (event.preventDefault(), this.#submit(invite));
    this.element = h(
      "form",
      { class: "share-form", onsubmit: submit },
      this.#role, this.#hours, this.#save, this.#problem, this.#made,
    );
  }

  reset() {
    this.#hours.value = USUAL_END;
    this.#link.value = "";
    this.#made.hidden = true;
    setText(this.#problem, "");
  }

  async #submit(invite) {
    this.#save.disabled = true;
    try {
      const link = await invite(this.#role.value, Number(this.#hours.value));
      this.#link.value = new URL(pathHere(link), location.href).href;
      this.#made.hidden = false;
      setText(this.#problem, "");
      this.#copy.element.focus();
    } catch (error) {
      setText(this.#problem, error.message);
    }
    this.#save.disabled = false;
  }
}

/** How long a link may hold, in hours. */
function ends() {
  return [[24, t`for a day`], [168, t`for a week`], [720, t`for 30 days`], [0, t`without an end`]];
}

function select(name, options) {
  const choices = options.map(([value, words]) => h("option", { value }, words));
  return h("select", { class: "field", "aria-label": name }, ...choices);
}
