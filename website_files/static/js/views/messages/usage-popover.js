/** What a turn took, agent by agent: one panel for all turns, shown beside the line that asked. */

import { h } from "../shared/dom.js";
import { displayName } from "../../core/format.js";
import { byAgent, count, money, readUsage } from "../../core/usage.js";

const GAP = 6; // pixels
const UNKNOWN = "–";

export class SpendingPanel {
  #opener = null;
  #usage = {};
  element = h("div", {
    class: "spending", popover: "auto", role: "dialog", "aria-label": "What this answer took",
    ontoggle: (event) => this.#toggled(event),
  });

  /** The button shows the panel; the browser closes it again, at a click elsewhere or at Escape. */
  attach(opener, read) {
    opener.popoverTargetElement = this.element;
    opener.addEventListener("click", () => {
      this.#opener = opener;
      this.#usage = read();
      this.element.replaceChildren(table(this.#usage));
    });
  }

  #toggled({ newState }) {
    if (newState !== "open") return;
    const { top, bottom, left, right } = this.#opener.getBoundingClientRect();
    const { offsetHeight, offsetWidth } = this.element;
    const y = bottom + GAP + offsetHeight < innerHeight ? bottom + GAP : top - GAP - offsetHeight;
    this.element.style.setProperty("top", `${Math.max(y, GAP)}px`);
    const x = left + offsetWidth < innerWidth - GAP ? left : right - offsetWidth;
    this.element.style.setProperty("left", `${Math.max(x, GAP)}px`);
  }
}

function table(usage) {
  const agents = byAgent(usage);
  const total = readUsage(usage);
  const hasCost = [total, ...agents].some(({ cost }) => cost);
  const price = ({ cost }) => (cost === null ? UNKNOWN : money(cost, total.cost < 1 ? 4 : 2) || "$0");
  const cells = (each) => [count(each.read), count(each.written), ...(hasCost ? [price(each)] : [])];
  const heads = ["Agent", "Tokens in", "Out", ...(hasCost ? ["Cost"] : [])];
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...agents.map((agent) => row(displayName(agent.name), cells(agent)))),
    agents.length === 1 ? null : h("tfoot", {}, row("Together", cells(total))),
  );
}

function row(name, cells) {
  return h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((text) => h("td", {}, text)));
}
