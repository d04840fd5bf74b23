/** A chart in a card: a title, a legend with numbers, and a drawing. The numbers follow the pointer. */

import { t } from "../core/words.js";
import { linePath, placeAt, roundUp, shown } from "./series.js";
import { h, setAttribute, setText } from "../views/shared/dom.js";

const SVG = "http://www.w3.org/2000/svg";
const SIZE = { width: 600, height: 100 };
const LEAST = 600; // seconds that lines have room for

function svg(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string|number} color  that of CSS's `data-series`
 * @property {(number|null)[]} values  oldest first
 * @property {string} [total]  what the legend shows while nothing is pointed at, instead of the newest value
 */
class Chart {
  #kind;
  #most = h("span", { class: "chart-most" });
  #legend = h("ul", { class: "chart-legend" });
  #pointer = svg("line", { y1: 0, y2: SIZE.height, visibility: "hidden" });
  #first = h("span");
  #last = h("span");
  #series = [];
  #place = null; // of the values that are pointed at

  /** @param {keyof FORMATS} kind */
  constructor(title, kind, className = "") {
    this.#kind = kind;
    const viewBox = `0 0 ${SIZE.width} ${SIZE.height}`;
    this.plot = svg("svg", { viewBox, class: "chart-plot", preserveAspectRatio: "none", role: "img" });
    this.plot.append(this.#pointer);
    this.plot.addEventListener("pointermove", (event) => this.#point(event));
    this.plot.addEventListener("pointerleave", () => this.#leave());
    const ends = h("div", { class: "chart-ends", "aria-hidden": "true" }, this.#first, this.#last);
    const head = h("figcaption", { class: "chart-title" }, h("span", {}, title), this.#most);
    this.element = h("figure", { class: `chart ${className}` }, head, this.#legend, this.plot, ends);
    this.title = title;
  }

  /** @param {Series[]} series  @param {string[]} ends  words for the left and the right end */
  show(series, ends) {
    this.#series = series;
    const most = roundUp(this.highest(series), this.#kind);
    setText(this.#most, shown(most, this.#kind));
    setText(this.#first, ends[0]);
    setText(this.#last, ends[1]);
    this.draw(series, most);
    this.#tell();
  }

  /** Words for a place among the values, beside the numbers there. */
  nameOf() {
    return "";
  }

  #point({ clientX }) {
    const { left, width } = this.plot.getBoundingClientRect();
    this.#place = this.placeAt((clientX - left) / width);
    this.#tell();
  }

  #leave() {
    this.#place = null;
    this.#tell();
  }

  #tell() {
    const place = this.#place;
    const rows = this.#series.map(({ name, color, values, total }) => {
      const number = place === null && total !== undefined ? total : shown(values[place ?? values.length - 1], this.#kind);
      return h("li", { "data-series": color }, name, " ", h("b", {}, number));
    });
    const pointed = place === null ? "" : this.nameOf(place);
    this.#legend.replaceChildren(...rows, ...(pointed ? [h("span", { class: "chart-most" }, pointed)] : []));
    setAttribute(this.plot, "aria-label", `${this.title}: ${rows.map((row) => row.textContent).join(", ")}`);
    this.#pointer.setAttribute("visibility", place === null ? "hidden" : "visible");
    if (place === null) return;
    const x = this.middleOf(place);
    this.#pointer.setAttribute("x1", x);
    this.#pointer.setAttribute("x2", x);
  }
}

/** Lines over the last hour. */
export class LineChart extends Chart {
  #paths = [];
  #length = 0;
  #room = 1; // values for which there is room
  #step;

  /** @param {number} step  seconds between two values */
  constructor(title, kind, step) {
    super(title, kind, "card");
    this.#step = step;
  }

  /** The room grows with what there is, so that a server that has just started fills its charts, too. */
  show(series) {
    const least = Math.round(LEAST / this.#step) + 1;
    this.#length = series[0].values.length;
    this.#room = Math.max(this.#length, least);
    super.show(series, [t`${this.#minutes(this.#room - 1)} min ago`, t`now`]);
  }

  highest(series) {
    return Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== null)));
  }

  draw(series, most) {
    const size = { ...SIZE, room: this.#room };
    while (this.#paths.length < series.length) {
      const path = svg("path", { "data-series": series[this.#paths.length].color });
      this.#paths.push(path);
      this.plot.prepend(path);
    }
    series.forEach(({ values }, index) => this.#paths[index].setAttribute("d", linePath(values, most, size)));
  }

  placeAt(share) {
    return placeAt(share, this.#length, this.#room);
  }

  middleOf(place) {
    return SIZE.width - ((this.#length - 1 - place) * SIZE.width) / Math.max(this.#room - 1, 1);
  }

  nameOf(place) {
    const minutes = this.#minutes(this.#length - 1 - place);
    return minutes ? t`${minutes} min ago` : t`now`;
  }

  #minutes(steps) {
    return Math.round((steps * this.#step) / 60);
  }
}

/** Bars on top of each other, one for each day. */
export class DayChart extends Chart {
  #days = [];
  #bars = svg("g");

  constructor(title, kind, days) {
    super(title, kind);
    this.#days = days;
    this.plot.prepend(this.#bars);
  }

  highest(series) {
    return Math.max(0, ...this.#days.map((_, day) => series.reduce((sum, { values }) => sum + values[day], 0)));
  }

  draw(series, most) {
    const width = SIZE.width / this.#days.length;
    const bars = this.#days.flatMap((_, day) => {
      let top = SIZE.height;
      return series.filter(({ values }) => values[day] > 0).map(({ values, color }) => {
        const height = (values[day] / most) * SIZE.height;
        top -= height;
        return svg("rect", { x: day * width + width * 0.1, y: top, width: width * 0.8, height, "data-series": color });
      });
    });
    this.#bars.replaceChildren(...bars);
  }

  placeAt(share) {
    return Math.min(Math.max(Math.floor(share * this.#days.length), 0), this.#days.length - 1);
  }

  middleOf(place) {
    return ((place + 0.5) * SIZE.width) / this.#days.length;
  }

  nameOf(place) {
    return this.#days[place];
  }
}
