/** Form of the person's name, colour and language. */

import { languages } from "./words.js";
import { t } from "../../core/words.js";
import { createAvatar, h, paintAvatar } from "../shared/dom.js";
import { Field, Form, SelectField } from "../shared/labelled-form.js";

const NAME_CHARS = 100;

export class ProfileForm {
  #name;
  #colour;
  #language;
  element;

  /** @param {(changes: {name: string, colour: string, language: string}) => Promise} save */
  constructor({ name, login, colour, language }, save) {
    this.#name = new Field({ label: t`Name`, value: name || login, maxlength: NAME_CHARS, autocomplete: "name", required: true });
    this.#colour = new ColourField(colour);
    this.#language = new SelectField({ label: t`Language`, options: [["", t`Not said`], ...languages(language)] });
    this.#language.value = language;
    const fields = [this.#name, this.#colour, this.#language];
    this.element = new Form({ fields, save: t`Save`, done: () => save(this.#changes) }).element;
    this.element.addEventListener("input", () => this.#colour.paint(this.#name.value));
    this.#colour.paint(this.#name.value);
  }

  get #changes() {
    return { name: this.#name.value.trim(), colour: this.#colour.value, language: this.#language.value };
  }
}

/** A choice of colours, with the avatar that has it. */
class ColourField {
  #avatar = createAvatar();
  #swatches;

  constructor(value) {
    const known = colours();
    const names = { ...known, ...(value in known ? {} : { [value]: value }) };
    this.#swatches = Object.entries(names).map(([colour, name]) => swatch(colour, name, colour === value));
    this.input = this.#swatches[0];
    const choices = h("div", { class: "colours" }, ...this.#swatches);
    const choice = h("fieldset", { class: "labelled-field" }, h("legend", {}, t`Colour`), choices);
    this.element = h("div", { class: "colour-row" }, this.#avatar, choice);
  }

  get value() {
    return this.#swatches.find(({ checked }) => checked).value;
  }

  /** Shows the avatar of somebody with that name. */
  paint(name) {
    paintAvatar(this.#avatar, name, this.value);
  }
}

function swatch(colour, name, isChosen) {
  const about = { "aria-label": name, title: name };
  const radio = h("input", { type: "radio", name: "colour", value: colour, checked: isChosen, ...about });
  if (colour) radio.style.setProperty("--swatch", colour);
  return radio;
}

/** The colours to choose from, with their names. */
function colours() {
  return {
    "": t`By name`, "#0d7263": t`Green`, "#2f6fb5": t`Blue`, "#7452c4": t`Violet`, "#b8417f": t`Pink`, "#b3392e": t`Red`,
    "#c26a1b": t`Orange`, "#a08400": t`Yellow`, "#6a655c": t`Grey`,
  };
}
