/** Usage of a turn by agent. One popover serves all turns. */

import { displayName } from "../../core/format.js";
import { UNKNOWN, byAgent, money, readUsage, tokens } from "../../core/session/usage.js";
import { t } from "../../core/words.js";
import { h } from "../shared/dom.js";
import { Popover } from "../shared/popover.js";

export class UsagePopover {
  #popover = new Popover(
    { class: "popover usage-popover", role: "dialog", "aria-label": t`What this answer took` },
    { gap: 6, align: "start" },
  );
  element = this.#popover.element;

  /** Makes a button show the usage that `read` returns. */
  attach(opener, read) {
    this.#popover.attach(opener, () => this.element.replaceChildren(table(read())));
  }
}

function table(usage) {
  const agents = byAgent(usage);
  const total = readUsage(usage);
  const hasCost = [total, ...agents].some(({ cost }) => cost);
  const price = ({ cost }) => (cost === null ? UNKNOWN : money(cost, total.cost < 1 ? 4 : 2) || "$0");
  const cells = (each) => [
    tokens(each.read, each.estimated), tokens(each.written, each.estimated), ...(hasCost ? [price(each)] : []),
  ];
  const heads = [t`Agent`, t`Tokens in`, t`Out`, ...(hasCost ? [t`Cost`] : [])];
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...agents.map((agent) => row(displayName(agent.name), cells(agent)))),
    agents.length === 1 ? null : h("tfoot", {}, row(t`Together`, cells(total))),
  );
}

function row(name, cells) {
  return h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((text) => h("td", {}, text)));
}
