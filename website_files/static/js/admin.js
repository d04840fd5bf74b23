/** Entry point of the admins' page: asks the server every few seconds, and shows the answer in tables. */

import { Table } from "./admin/table.js";
import { keyed, shownEvent, shownFields, shownName, shownWho } from "./admin/words.js";
import { count, money } from "./core/session/usage.js";
import { t } from "./core/words.js";
import { goToLoginPage } from "./transport/login-page.js";
import { chatAddress } from "./transport/page-address.js";
import { fetchOverview, stopAsAdmin, whenLoginIsNeeded } from "./transport/rest-api.js";
import { button, h, setText } from "./views/shared/dom.js";
import { loadLanguage } from "./views/shared/language.js";
import { showPageErrors } from "./views/shared/page-errors.js";
import { followTheme } from "./views/shared/theme.js";

await loadLanguage();
followTheme();

const REFRESH = 4_000; // ms
const TYPING = 300; // ms without a key after which a filter counts
const ENTRIES = 200; // of the audit log

const find = (selector) => document.querySelector(selector);

showPageErrors(find(".page-errors"));
whenLoginIsNeeded(goToLoginPage);

const session = ({ session: id, title }) => title || id || "–";
const readable = ({ session: id, title }) => (title === null ? null : chatAddress(id));
const person = { title: t`Person`, kind: "text", of: ({ user }) => shownName(user) };
const since = { title: t`Since`, kind: "time", of: (item) => item.since };

const running = new Table(find(".admin-running"), [
  { title: t`Conversation`, kind: "text", of: session, link: readable },
  { title: t`Agent`, kind: "text", of: ({ agent }) => agent },
  person,
  { title: t`Turn`, kind: "number", of: ({ turn }) => String(turn) },
  { title: t`Status`, kind: "text", of: ({ status }) => status },
  since,
  { title: "", kind: "action", element: stopButton },
], t`No agent is working.`);
const connected = new Table(find(".admin-connected"), [
  person,
  { title: t`Kind`, kind: "text", of: ({ kind }) => kind },
  { title: t`Conversation`, kind: "text", of: ({ session: id }) => id ?? "–" },
  { title: t`Address`, kind: "text", of: ({ address }) => address },
  since,
], t`Nobody is connected.`);
const usage = new Table(find(".admin-usage"), [
  person,
  { title: t`Agent`, kind: "text", of: ({ agent }) => agent },
  { title: t`Turns`, kind: "number", of: ({ turns }) => count(turns) },
  { title: t`Tokens`, kind: "number", of: ({ tokens }) => count(tokens) },
  { title: t`Cost`, kind: "number", of: ({ cost }) => money(cost) || "–" },
], t`Nothing was used in these days.`);
const audit = new Table(find(".admin-audit"), [
  { title: t`When`, kind: "time", of: ({ ts }) => ts },
  { title: t`Event`, kind: "text", of: shownEvent },
  { title: t`Person`, kind: "text", of: shownWho },
  { title: t`Address`, kind: "text", of: ({ address }) => address || "–" },
  { title: t`Details`, kind: "text", of: shownFields },
], t`There are no entries.`);

const events = new Set(); // that were seen, for the filter to offer
let timer = 0;
let newest = 0; // number of the newest request; answers to older ones came too late

find(".admin-days").addEventListener("change", refresh);
for (const filter of document.querySelectorAll(".admin-audit input")) {
  filter.addEventListener("input", () => refreshIn(TYPING));
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();

function refreshIn(ms) {
  clearTimeout(timer);
  timer = setTimeout(refresh, ms);
}

async function refresh() {
  clearTimeout(timer);
  newest += 1;
  const number = newest;
  const asked = {
    days: find(".admin-days").value,
    audit: ENTRIES,
    person: find(".admin-person").value.trim(),
    event: find(".admin-event").value.trim().replaceAll(" ", "_"),
  };
  try {
    const overview = await fetchOverview(asked);
    if (number === newest) show(overview);
  } catch (error) {
    if (number === newest) setText(find(".admin-note"), error.message);
  }
  if (number === newest && !document.hidden) refreshIn(REFRESH);
}

function show(overview) {
  find(".admin-main").hidden = false;
  setText(find(".admin-note"), "");
  setText(find(".admin-running .admin-count"), count(overview.running_in_all));
  setText(find(".admin-connected .admin-count"), count(overview.connected_in_all));
  running.update(keyed(overview.running, ({ session: id, turn }) => `${id} ${turn}`));
  const place = ({ user, kind, session: id, since: began }) => [began, user.id, kind, id].join(" ");
  connected.update(keyed(overview.connected.toReversed(), place));
  usage.update(keyed(overview.usage, ({ user, agent }) => `${user.id} ${agent}`));
  audit.update(keyed(overview.audit, (entry) => JSON.stringify(entry)));
  offer(overview.audit.map(shownEvent));
}

function offer(seen) {
  for (const event of seen) {
    if (events.has(event)) continue;
    events.add(event);
    find("#admin-events").append(h("option", { value: event }));
  }
}

function stopButton({ session: id, turn }) {
  const stop = button("outline-button", async () => {
    stop.disabled = true;
    setText(stop, t`Stopping…`);
    setText(find(".admin-problem"), "");
    try {
      await stopAsAdmin(id, turn);
    } catch (error) {
      setText(find(".admin-problem"), error.message);
      stop.disabled = false;
      setText(stop, t`Stop`);
    }
    refresh();
  }, t`Stop`);
  return stop;
}
