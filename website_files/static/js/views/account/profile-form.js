/** Form of the person's name, colour and language. */

import { languages } from "./words.js";
import { createAvatar, h, paintAvatar } from "../shared/dom.js";
import { Field, Form, SelectField } from "../shared/labelled-form.js";

const NAME_CHARS = 100;
const COLOURS = {
  "": "By name", "#0d7263": "Green", "#2f6fb5": "Blue", "#7452c4": "Violet", "#b8417f": "Pink", "#b3392e": "Red",
  "#c26a1b": "Orange", "#a08400": "Yellow", "#6a655c": "Grey",
};

export class ProfileForm {
  #name;
  #colour;
  #language;
  element;

  /** @param {(changes: {name: string, colour: string, language: string}) => Promise} save */
  constructor({ name, login, colour, language }, save) {
    this.#name = new Field({ label: "Name", value: name || login, maxlength: NAME_CHARS, autocomplete: "name", required: true });
    this.#colour = new ColourField(colour);
    this.#language = new SelectField({ label: "Language", options: [["", "Not said"], ...languages(language)] });
    this.#language.value = language;
    const fields = [this.#name, this.#colour, this.#language];
    this.element = new Form({ fields, save: "Save", done: () => save(this.#changes) }).element;
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
    const names = { ...COLOURS, ...(value in COLOURS ? {} : { [value]: value }) };
    this.#swatches = Object.entries(names).map(([colour, name]) => swatch(colour, name, colour === value));
    this.input = this.#swatches[0];
    const colours = h("div", { class: "colours" }, ...this.#swatches);
    const choice = h("fieldset", { class: "labelled-field" }, h("legend", {}, "Colour"), colours);
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
