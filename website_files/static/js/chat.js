/** Wires the page: what happens goes into the app, and what the app then is, into the views. */

import { Announcer } from "./views/shared/announcer.js";
import { App } from "./app/chat-app.js";
import { Composer } from "./views/composer/composer.js";
import { onceAFrame, setText } from "./views/shared/dom.js";
import { Follower } from "./views/shared/scroll-follower.js";
import { FileIntake } from "./views/composer/attachments.js";
import { FilesPanel } from "./views/panels/files-panel.js";
import { displayName } from "./core/format.js";
import { HeldBanner } from "./views/composer/handover-banner.js";
import { MemoryPanel } from "./views/panels/memory-panel.js";
import { showFaults } from "./views/shared/notices.js";
import { PastList } from "./views/sidebar/conversation-list-view.js";
import { isViewer, typingLine } from "./core/participants.js";
import { PeoplePanel } from "./views/panels/people-panel.js";
import { progress } from "./core/plan.js";
import { PlanPanel } from "./views/panels/plan-panel.js";
import { addressed, eraseMemory, fetchMemory } from "./transport/rest-api.js";
import { isWaiting, runningTurn } from "./core/session-state.js";
import { ShowSwitch } from "./views/show-switch.js";
import { SidePanel } from "./views/panels/side-panel.js";
import { Sidebar } from "./views/sidebar/sidebar.js";
import { totals } from "./core/usage.js";
import { StatusChip } from "./views/status-chip.js";
import { TitleBar } from "./views/topbar.js";
import { Transcript } from "./views/messages/transcript.js";
import { UploadTray } from "./views/composer/upload-tray.js";
import { Welcome } from "./views/welcome.js";

const find = (selector) => document.querySelector(selector);

showFaults(find(".notices"));

const app = new App({ changed: onceAFrame(draw), opened, named, happened });
const announcer = new Announcer(find(".announcer"));
const wrote = (isWriting) => app.conversation?.wrote(isWriting);
const composer = new Composer(find("#composer"), { send, stop, wrote });
const sidebar = new Sidebar(find(".app"), () => open(null));
const past = new PastList(find(".past"), {
  open,
  rename: (id, title) => app.rename(id, title),
  delete: (id) => app.delete(id).then(() => find(".search").focus()),
  search: (query) => app.past.search(query),
  more: () => app.past.more(),
});
const title = new TitleBar(find(".topbar-title"), (id, words) => app.rename(id, words));
const people = new PeoplePanel(find(".people-button"), find(".people-panel"), (name) => {
  app.callMe(name);
  find(".people-panel").hidePopover();
});
const memory = new MemoryPanel(find(".memory"), () => fetchMemory(app.name), (key) => eraseMemory(app.name, key));
const panel = new SidePanel(find(".app"));
const plan = new PlanPanel(find(".plan"), (id, now) => app.conversation.tick(id, now));
const intake = new FileIntake(find(".stage"), find(".file-picker"), (given) => (app.attach(given), invite()));
const files = new FilesPanel(find(".files"), {
  choose: () => intake.choose(),
  delete: (path) => app.deleteFile(path).then(() => find(".panel-close").focus()),
});
const tray = new UploadTray(find(".uploads"), (key) => (app.uploads.dismiss(key), invite()));
const held = new HeldBanner(find(".held-banner"), () => (app.conversation.handBack(""), invite()));
const status = new StatusChip(find(".status"), () => (app.reconnect(), composer.focus()));
const welcome = new Welcome(find(".welcome"), { pick: (agent) => app.pick(agent), ask: send });
const follower = new Follower(find(".scroller"), find(".scroller-content"), find(".to-end"));
const show = new ShowSwitch(find(".show-switch"), () => draw());
const transcript = new Transcript(find(".transcript"), {
  stop: () => (stop(), invite()),
  resend: () => (app.resend(), invite()),
  retry: () => (app.conversation.retry(), invite()),
  edit: (seq, text) => app.conversation.edit(seq, text),
  withdraw: (turn) => (app.conversation.withdraw(turn), invite()),
  answer,
  leave: invite,
  startOver: () => (app.startOver(), invite()),
  dismiss: (key) => (app.conversation.dismiss(key), composer.focus()),
});

addEventListener("popstate", () => app.showAddressed());
addEventListener("online", () => app.networkChanged(true));
addEventListener("offline", () => isOnThisComputer() || app.networkChanged(false));
addEventListener("focus", () => app.past.refresh());
addEventListener("keydown", pressed);
find(".attach-button").addEventListener("click", () => intake.choose());
find(".gone-line button").addEventListener("click", () => (app.startOver(), invite()));
find(".people-panel").addEventListener("beforetoggle", ({ newState }) => newState === "open" && memory.refresh());
setInterval(draw, 60_000); // "5 min" ago
composer.openDraft("draft.new");
invite();
draw();
app.start();

// Intents

function send(text) {
  app.send(text);
  follower.toEnd();
  invite();
}

function stop() {
  app.conversation?.stop();
}

function answer(requestId, given) {
  const isSent = app.conversation.answer(requestId, given);
  if (isSent) invite();
  return isSent;
}

function open(sessionId) {
  app.open(sessionId);
  sidebar.closeDrawer();
  invite();
}

/** Not on a phone: the keyboard would cover what was just opened. */
function invite() {
  if (matchMedia("(hover: hover)").matches) composer.focus();
}

function pressed(event) {
  if (event.key !== "Escape" || event.isComposing || find(":popover-open")) return;
  if (sidebar.isDrawer) sidebar.closeDrawer();
  else if (panel.isSheet) panel.close();
  else stop();
}

// What the app announces

function opened(sessionId) {
  composer.openDraft(`draft.${sessionId ?? "new"}`);
  transcript.clear();
  draw();
  if (app.conversation) follower.toEnd();
  else follower.toStart();
}

function named(sessionId) {
  composer.renameDraft(`draft.${sessionId}`);
}

function happened(frame) {
  announcer.happened(frame);
  follower.tell();
  if (frame.type === "turn_completed" && find(".people-panel:popover-open")) memory.refresh();
}

function draw() {
  const { conversation, config, picked } = app;
  const state = conversation?.state;
  find(".starting").hidden = Boolean(config);
  find(".app").dataset.role = state?.role ?? (config ? "member" : addressed().role);
  welcome.update(!conversation && config !== null, config, picked);
  find(".transcript").hidden = !conversation;
  find(".show-switch").hidden = !conversation;
  if (conversation) transcript.update(state, conversation.status, show.level);
  past.update(app.past, state?.sessionId ?? null);
  title.update(conversation);
  people.update(state, app.name);
  status.update(app.status);
  drawPanel(state);
  drawModel(state?.model ?? config?.model, Boolean(conversation), state?.spent);
  drawFoot(conversation, config, picked);
}

function drawModel(model, isTalking, spent) {
  find(".demo-badge").hidden = !model?.demo || !isTalking;
  const parts = [model?.name ? `Model: ${model.name}` : "", ...(spent ? totals(spent) : [])];
  setText(find(".model-name"), parts.filter(Boolean).join(" · "));
}

function drawPanel(state) {
  const tasks = state?.tasks ?? [];
  const canWrite = Boolean(state) && !isViewer(state) && !state.isDeleted;
  plan.update(tasks, canWrite && app.status === "online");
  files.update(app.files, state?.sessionId ?? null, canWrite);
  panel.update(progress(tasks), app.files.entries.length, Boolean(app.files.problem));
}

function drawFoot(conversation, config, picked) {
  const state = conversation?.state;
  const isReading = Boolean(state && isViewer(state));
  const isGone = Boolean(state?.isDeleted);
  setText(find(".typing-line"), typingLine(state?.typing ?? []));
  find(".viewer-line").hidden = !isReading || isGone;
  find(".gone-line").hidden = !isGone;
  held.update(isGone ? null : state?.held ?? null, !isReading, app.status === "online");
  tray.update(app.uploads.entries.filter(({ sessionId }) => sessionId === (state?.sessionId ?? null)));
  intake.isOpen = app.takesFiles;
  find(".attach-button").disabled = !app.takesFiles;
  composer.update({
    isHidden: isReading || isGone,
    placeholder: placeholder(state),
    limit: config?.limits?.message_chars ?? Infinity,
    isReady: !app.isBeginning && Boolean(conversation || (config && picked)),
    isRunning: Boolean(state && runningTurn(state)),
    isStopping: Boolean(conversation) && conversation.stopping !== null,
  });
}

function placeholder(state) {
  if (state && isWaiting(state)) return "A question waits above";
  if (state?.held) return state.held.operator ? `Message ${state.held.operator}` : "Write to whoever comes";
  return app.agent ? `Message ${displayName(app.agent)}` : "Write a message";
}

function isOnThisComputer() {
  return /^(localhost|127\.|\[::1\])/.test(location.hostname);
}
