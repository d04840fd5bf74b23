/** Avatars of agents, with the icon and the color that their files give them. */

import { inkOn, looksOf } from "../../core/appearance.js";
import { initial } from "../../core/format.js";
import { createAvatar, hasIcon, icon, setAttribute, setText } from "./dom.js";

/** Creates the avatar of an agent. */
export function agentAvatar(name) {
  const element = createAvatar();
  paintAgent(element, name);
  return element;
}

/** Shows in an avatar whose it is. */
export function paintAgent(element, name) {
  const looks = looksOf(name);
  const { style } = element;
  style.setProperty("--hue", looks.hue);
  setAttribute(element, "data-colored", Boolean(looks.color));
  style.setProperty("--agent-color", looks.color ?? "");
  style.setProperty("--agent-ink", looks.color ? inkOn(looks.color) : "");
  showIcon(element, looks.icon || initial(name));
}

function showIcon(element, sign) {
  if (element.dataset.icon === sign) return;
  element.dataset.icon = sign;
  if (hasIcon(sign)) element.replaceChildren(icon(sign));
  else setText(element, sign);
}
