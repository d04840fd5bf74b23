/** Wires the operator's desk: what happens goes into the app, and what the app then is, into the views. */

import { Announcer } from "./views/shared/announcer.js";
import { Composer } from "./views/composer/composer.js";
import { DeskApp } from "./desk/desk-app.js";
import { DeskList } from "./desk/desk-list.js";
import { onceAFrame, setText } from "./views/shared/dom.js";
import { Follower } from "./views/shared/scroll-follower.js";
import { shorten } from "./core/format.js";
import { InlineForm } from "./views/shared/inline-form.js";
import { showFaults } from "./views/shared/notices.js";
import { OperatorBar } from "./desk/operator-bar.js";
import { personName, typingLine } from "./core/participants.js";
import { firstText } from "./core/session-state.js";
import { StatusChip } from "./views/status-chip.js";
import { device } from "./transport/storage.js";
import { Transcript } from "./views/messages/transcript.js";

const NAME_CHARS = 100;
const nothing = () => false; // an operator answers in their own words, and changes nothing of what others said

const find = (selector) => document.querySelector(selector);

showFaults(find(".notices"));

const app = new DeskApp({ changed: onceAFrame(draw), opened, happened });
const announcer = new Announcer(find(".announcer"));
const signIn = new InlineForm({
  label: "Your name",
  placeholder: "Your name",
  value: device.get("name", ""),
  save: "Begin",
  limit: NAME_CHARS,
  done: begin,
});
find(".sign-in-form").append(signIn.element);
const list = new DeskList(find(".desk-lists"), (id) => app.open(id));
const status = new StatusChip(find(".status"), () => app.reconnect());
const follower = new Follower(find(".scroller"), find(".scroller-content"), find(".to-end"));
const transcript = new Transcript(find(".transcript"), {
  stop: nothing, resend: () => app.conversation.resend(), retry: nothing, edit: nothing, withdraw: nothing,
  answer: nothing, leave: nothing, startOver: () => app.open(null),
  dismiss: (key) => app.conversation.dismiss(key),
});
const composer = new Composer(find("#composer"), {
  send: (text) => (app.conversation.send(text), follower.toEnd()),
  stop: nothing,
  wrote: (isWriting) => app.conversation?.wrote(isWriting),
});
const bar = new OperatorBar(find(".operator-bar"), {
  take: () => app.conversation.take(),
  handBack: (note) => app.conversation.handBack(note),
});
let before = "none"; // how the open conversation stood when it was drawn last

addEventListener("popstate", () => app.showAddressed());
find(".desk-back").addEventListener("click", () => app.open(null));
find(".desk-rename").addEventListener("click", () => (app.signOut(), draw(), signIn.focus()));
setInterval(draw, 30_000); // "5 min" ago
composer.openDraft("desk.none");
draw();
if (app.name) app.start();
else signIn.focus();

function begin(name) {
  if (!name.trim()) return "People want to know who answers them.";
  app.signIn(name.trim());
  return "";
}

// What the app announces

function opened() {
  const id = app.conversation?.state.sessionId;
  composer.openDraft(`desk.${id ?? "none"}`);
  transcript.clear();
  draw();
  if (id) follower.toEnd();
  else follower.toStart();
}

function happened(frame) {
  announcer.happened(frame);
  follower.tell();
}

function draw() {
  const { conversation, standing, wanted } = app;
  const state = conversation?.state;
  const waiting = (wanted ?? []).filter((each) => each.state === "waiting").length;
  setText(find("title"), waiting ? `(${waiting}) Desk` : "Desk");
  find(".sign-in").hidden = Boolean(app.name);
  find(".desk").hidden = !app.name;
  find(".desk").dataset.view = conversation ? "conversation" : "list";
  setText(find(".desk-name"), app.name);
  const others = app.operators.filter((name) => name !== app.name);
  setText(find(".desk-others"), others.length ? `Also here: ${others.join(", ")}` : "");
  list.update(wanted, state?.sessionId ?? null, app.name, app.feed.status === "offline");
  status.update(statusNow());
  drawConversation(conversation, state, standing);
}

function drawConversation(conversation, state, standing) {
  const { about } = app;
  const person = personName(about?.person ?? state?.turns.find(({ message }) => message)?.message.name);
  const title = state && (state.title || about?.title || shorten(firstText(state)));
  setText(find(".topbar-title"), state ? [person, title].filter(Boolean).join(" · ") : "");
  find(".desk-empty").hidden = Boolean(conversation);
  find(".transcript").hidden = !conversation;
  if (conversation) transcript.update({ ...state, role: "viewer" }, conversation.status, "tools");
  setText(find(".typing-line"), typingLine((state?.typing ?? []).filter((name) => name !== app.name)));
  const isOnline = conversation?.status === "online";
  bar.update({
    standing,
    person,
    operator: state?.held?.operator ?? "",
    reason: state?.held?.reason || about?.reason || "",
    isOnline,
  });
  composer.update({
    isHidden: standing !== "mine",
    placeholder: `Write to ${person}`,
    limit: app.config?.limits?.message_chars ?? Infinity,
    isReady: standing === "mine",
    isRunning: false,
    isStopping: false,
  });
  if (standing !== before && standing === "mine") composer.focus();
  if (standing !== before && standing === "waiting") bar.focus();
  before = standing;
}

/** The worse of the two connections is what the operator has to know. */
function statusNow() {
  const { feed, conversation } = app;
  if (conversation?.state.isDeleted) return feed.status === "idle" ? "connecting" : feed.status;
  const order = ["refused", "offline", "connecting", "idle", "online"];
  const all = [feed.status, conversation?.status ?? "online"];
  const worst = order.find((each) => all.includes(each));
  return worst === "idle" ? "connecting" : worst;
}
