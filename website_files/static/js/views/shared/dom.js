/** Helpers to build and update DOM nodes. Text always becomes a text node, never HTML. */

import { clock, fullTime, hue, initial } from "../../core/format.js";

const FITS_ITSELF = globalThis.CSS?.supports("field-sizing", "content") ?? false;
const PAUSE = 20; // ms between two drawings; the wait for a frame comes on top
const SVG = "http://www.w3.org/2000/svg";

/** Creates an element: `h("button", { type: "button", onclick }, "Send")`. Functions become event listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  // One at a time: a very long answer has more parts than a call can take arguments.
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

/** Creates a button that is labelled by its content. */
export function button(className, onclick, ...children) {
  return h("button", { type: "button", class: className, onclick }, ...children);
}

/** Creates a square button with an icon; the name is its label and its tooltip. */
export function iconButton(className, name, iconName, onclick) {
  const attributes = { type: "button", class: `icon-button ${className}`, "aria-label": name, title: name, onclick };
  return h("button", attributes, icon(iconName));
}

/** Grows or shrinks a text field to fit its content, within the limits of its style. */
export function fitHeight(field) {
  if (FITS_ITSELF) return field.style.setProperty("field-sizing", "content"); // measuring a long text takes long
  field.style.setProperty("height", "auto");
  field.style.setProperty("height", `${field.scrollHeight}px`);
}

/** Sets an attribute: true makes it empty; false, null and undefined remove it. */
export function setAttribute(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value === true ? "" : value)) {
    element.setAttribute(name, value === true ? "" : value);
  }
}

/** Sets the text unless it is already there, so that a selection in it survives. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const ICONS = {
  again: "M4 12a8 8 0 1 0 2.6-5.9M4 4v4.5h4.5",
  alert: "M12 8v5M12 16.5v.01M12 3.5l9.5 16.5h-19z",
  bin: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  book: "M12 6.5C10 5 7 4.5 3.5 5v13.5c3.5-.5 6.5 0 8.5 1.5 2-1.5 5-2 8.5-1.5V5c-3.5-.5-6.5 0-8.5 1.5zM12 6.5V20",
  calendar: "M4.5 6h15v14h-15zM4.5 10.5h15M8.5 3.5v4M15.5 3.5v4",
  changes: "M9 3.5v7M5.5 7h7M5.5 14.5h7M18 5v14M5.5 19h7",
  chart: "M4 20h16M7 16v-5M12 16V5M17 16V9",
  check: "M5 12.5l4.5 4.5L19 7.5",
  chevron: "M9 6l6 6-6 6",
  cloud: "M7.5 18.5a4 4 0 0 1-.5-7.97 5.5 5.5 0 0 1 10.6 1.02A3.5 3.5 0 0 1 17 18.5z",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  cross: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  edit: "M5 19l1-4.5L16.5 4l3.5 3.5L9.5 18zM14 6.5l3.5 3.5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  event: "M4 12h3.5l2-5 4 10 2.2-5H20",
  file: "M6 3.5h8l4.5 4.5v12.5H6zM13.5 3.5V8.5h5",
  key: "M14.5 13.5a4.5 4.5 0 1 0-4.2-2.8L4 17v3h3.5v-2.5H10V15l.8-2",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  list: "M4 6.5l1.5 1.5L8 5M4 12.5l1.5 1.5L8 11M4 18.5l1.5 1.5L8 17M12 6.5h8M12 12.5h8M12 18.5h8",
  lock: "M6 11h12v9.5H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  more: "M5 12v.01M12 12v.01M19 12v.01",
  person: "M12 11.5a3.75 3.75 0 1 0 0-7.5 3.75 3.75 0 0 0 0 7.5zM5 20a7 7 0 0 1 14 0",
  question: "M9 9.5a3 3 0 1 1 4.5 2.6c-.9.5-1.5 1.1-1.5 2.2M12 17.5v.01M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z",
  shield: "M12 3l7.5 2.8v5.4c0 4.6-3.1 8-7.5 9.8-4.4-1.8-7.5-5.2-7.5-9.8V5.8zM9 12l2.2 2.2L15.5 10",
  source: "M8.5 7 3.5 12l5 5M15.5 7l5 5-5 5",
  talk: "M4 5h11v8H9l-3.5 3v-3H4zM18 9h2v8h-1.5v3L15 17h-4",
  terminal: "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M12.5 15h4",
  thought: "M9 18h6M10 21h4M8.7 15c-.3-1.7-3-3-3-6.3a6.3 6.3 0 0 1 12.6 0c0 3.3-2.7 4.6-3 6.3z",
  "thumb-down": "M8 13l3.5 7.5a2.5 2.5 0 0 0 2.5-2.5v-4h5a1.7 1.7 0 0 0 1.7-2l-1.2-6.5A1.9 1.9 0 0 0 17.6 4H8zM8 13H4V4h4",
  "thumb-up": "M8 11l3.5-7.5A2.5 2.5 0 0 1 14 6v4h5a1.7 1.7 0 0 1 1.7 2l-1.2 6.5a1.9 1.9 0 0 1-1.9 1.5H8zM8 11H4v9h4",
  tool: "M14.5 6.5a4 4 0 0 0 5 5L12 19a2.1 2.1 0 0 1-3-3l7.5-7.5M14.5 6.5L17 4a4.6 4.6 0 0 0-6 6l-7 7",
  train: "M7 3.5h10a2 2 0 0 1 2 2V14a3 3 0 0 1-3 3H8a3 3 0 0 1-3-3V5.5a2 2 0 0 1 2-2zM5 11h14M9 17l-2.5 3.5M15 17l2.5 3.5M9 14v.01M15 14v.01",
};

/** Whether there is a drawing of that name. */
export function hasIcon(name) {
  return Object.hasOwn(ICONS, name);
}

/** Creates an icon. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const attributes = { viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Wraps `draw` so that all calls between two frames draw only once, and a stream of them thirty times a second. */
export function onceAFrame(draw) {
  let isAsked = false;
  let next = 0; // the earliest time
  const drawNow = () => {
    isAsked = false;
    next = performance.now() + PAUSE;
    draw();
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    const wait = next - performance.now();
    if (wait > 0) setTimeout(() => requestAnimationFrame(drawNow), wait);
    else requestAnimationFrame(drawNow);
  };
}

/** Creates an avatar; the name next to it is what screen readers read. */
export function createAvatar() {
  return h("span", { class: "avatar", "aria-hidden": "true" });
}

/** Shows the initial of a name in an avatar, in a color that is the same everywhere, or in one that was chosen. */
export function paintAvatar(element, name, colour = "") {
  setText(element, initial(name));
  element.style.setProperty("--hue", hue(name));
  element.style.setProperty("--chosen", colour);
  setAttribute(element, "data-chosen", Boolean(colour));
}

/** Shows a timestamp in a `<time>` element. */
export function setTime(element, ts) {
  if (!ts || element.dateTime === ts) return;
  element.dateTime = ts;
  element.title = fullTime(ts);
  element.textContent = clock(ts);
}

/**
 * Keeps a `<details>` element open while its content is live and closes it afterwards, unless the reader toggled it.
 * @param {HTMLDetailsElement} details
 * @returns {(isLive: boolean) => void}
 */
export function openWhileLive(details) {
  let isToggled = false;
  details.querySelector("summary").addEventListener("click", () => (isToggled = true));
  return (isLive) => {
    if (!isToggled && details.open !== isLive) details.open = isLive;
  };
}

/** Handles a plain click on a link within the page, and leaves modified clicks, such as for a new tab, to the browser. */
export function onPlainClick(event, act) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  act();
}
