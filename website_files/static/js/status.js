/** Entry point of the status page: asks the server every few seconds, and draws what it did in the last hour. */

import { Table } from "./admin/table.js";
import { since } from "./core/format.js";
import { count, money } from "./core/session/usage.js";
import { t } from "./core/words.js";
import { DayChart, LineChart } from "./status/chart.js";
import { byDay, shown } from "./status/series.js";
import { goToLoginPage } from "./transport/login-page.js";
import { fetchStatus, whenLoginIsNeeded } from "./transport/rest-api.js";
import { setText } from "./views/shared/dom.js";
import { loadLanguage } from "./views/shared/language.js";
import { showPageErrors } from "./views/shared/page-errors.js";
import { followTheme } from "./views/shared/theme.js";

await loadLanguage();
followTheme();

const REFRESH = 10_000; // ms
const OTHERS = 6; // colour of what has none of its own

/** The charts: title, kind of numbers, and for each line its name, the server's name of the series, and its colour. */
const CHARTS = [
  [t`Turns now`, "number", [[t`running`, "turns_running", 0], [t`waiting for people`, "turns_waiting", 1], [t`queued`, "turns_queued", 2]]],
  [t`Turns that ended, in a minute`, "number", [[t`all`, "ended_per_minute", 0], [t`failed`, "failed_per_minute", "bad"]]],
  [t`Time to the first words`, "seconds", [[t`half of the turns`, "first_token_p50", 0], [t`95 of 100`, "first_token_p95", 1]]],
  [t`Time of a turn`, "seconds", [[t`half of them`, "turn_p50", 0], [t`95 of 100`, "turn_p95", 1]]],
  [t`Tokens in a minute`, "number", [[t`prompts`, "prompt_tokens_per_minute", 2], [t`completions`, "completion_tokens_per_minute", 0]]],
  [t`Calls of models in a minute`, "number", [[t`all`, "model_calls_per_minute", 0], [t`failed`, "model_errors_per_minute", "bad"]]],
  [t`Connections`, "number", [["WebSocket", "websockets", 0], [t`event streams`, "streams", 1], ["HTTP", "http", 2]]],
  [t`Messages that wait`, "number", [[t`messages`, "waiting_messages", 0]]],
  [t`Conversations in memory`, "number", [[t`conversations`, "sessions_in_memory", 0]]],
  [t`Writes to the disk`, "seconds", [[t`half of them`, "append_p50", 0], [t`95 of 100`, "append_p95", 1]]],
  [t`Memory`, "bytes", [[t`in use`, "memory", 0]]],
  [t`Threads and descriptors`, "number", [[t`threads`, "threads", 0], [t`descriptors`, "descriptors", 2]]],
];
const KINDS = { turns: "number", tokens: "number", cost: "dollars" };

const find = (selector) => document.querySelector(selector);

showPageErrors(find(".page-errors"));
whenLoginIsNeeded(goToLoginPage);

let charts = null; // one for each of CHARTS, once the server has told its step
let dayChart = null;
let newest = null; // what the server told last
let timer = 0;
let number = 0; // of the newest request; answers to older ones came too late

const table = new Table(find(".status-usage"), [
  { title: t`Agent`, kind: "text", of: ({ agent }) => agent },
  { title: t`Turns`, kind: "number", of: ({ turns }) => count(turns) },
  { title: t`Tokens`, kind: "number", of: ({ tokens }) => count(tokens) },
  { title: t`Cost`, kind: "number", of: ({ cost }) => money(cost) || "–" },
], t`Nothing was used in these days.`);

find(".status-days").addEventListener("change", refresh);
find(".status-what").addEventListener("change", () => newest && showUsage(newest));
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();

async function refresh() {
  clearTimeout(timer);
  number += 1;
  const mine = number;
  try {
    const status = await fetchStatus(find(".status-days").value);
    if (mine === number) show(status);
  } catch (error) {
    if (mine === number) setText(find(".admin-note"), error.message);
  }
  if (mine === number && !document.hidden) timer = setTimeout(refresh, REFRESH);
}

function show(status) {
  newest = status;
  find(".admin-main").hidden = false;
  setText(find(".admin-note"), t`Version ${status.version}, started ${since(status.started)}`);
  showLines(status);
  showUsage(status);
}

function showLines({ step, series }) {
  charts ??= CHARTS.map(([title, kind]) => {
    const chart = new LineChart(title, kind, step);
    find(".status-charts").append(chart.element);
    return chart;
  });
  CHARTS.forEach(([, , lines], index) => {
    const drawn = lines.map(([name, of, color]) => ({ name, color, values: series[of] }));
    charts[index].show(drawn);
  });
}

function showUsage({ usage, usage_since: first }) {
  const what = find(".status-what").value;
  const today = new Date().toISOString().slice(0, 10);
  const { days, agents } = byDay(usage, what, first, today > first ? today : first, OTHERS);
  const drawn = agents.map(({ name, total, values }, color) => ({ name, color, values, total: shown(total, KINDS[what]) }));
  const chart = new DayChart(t`In a day`, KINDS[what], days);
  if (dayChart === null) find(".status-usage header").after(chart.element);
  else dayChart.element.replaceWith(chart.element);
  dayChart = chart;
  dayChart.show(drawn, [days[0], days.at(-1)]);
  dayChart.element.hidden = agents.length === 0;
  table.update(totals(usage).map((item) => ({ key: item.agent, item })));
}

function totals(usage) {
  const agents = new Map();
  for (const { agent, turns, tokens, cost } of usage) {
    const sum = agents.get(agent) ?? { agent, turns: 0, tokens: 0, cost: 0 };
    agents.set(agent, { agent, turns: sum.turns + turns, tokens: sum.tokens + tokens, cost: sum.cost + cost });
  }
  return [...agents.values()].sort((a, b) => b.turns - a.turns || a.agent.localeCompare(b.agent));
}
