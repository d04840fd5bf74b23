/** A coloured initial that stands for an agent: the same name has the same colour everywhere. */

import { setText } from "./dom.js";
import { hue, initial } from "../../core/format.js";

export function paintAvatar(element, name) {
  setText(element, initial(name));
  element.style.setProperty("--hue", hue(name));
}
