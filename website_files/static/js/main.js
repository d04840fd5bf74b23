/** Wires the page: what happens goes into the app, and what the app then is, into the views. */

import { Announcer } from "./announcer.js";
import { App } from "./app.js";
import { Composer } from "./composer.js";
import { onceAFrame, setText } from "./dom.js";
import { Follower } from "./follower.js";
import { displayName } from "./format.js";
import { showFaults } from "./notices.js";
import { runningTurn } from "./session.js";
import { Sidebar } from "./sidebar.js";
import { StatusChip } from "./status-chip.js";
import { Transcript } from "./transcript.js";
import { Welcome } from "./welcome.js";

const find = (selector) => document.querySelector(selector);
const NAME = document.title;

showFaults(find(".notices"));

const app = new App({ changed: onceAFrame(draw), opened, named, happened });
const announcer = new Announcer(find(".announcer"));
const composer = new Composer(find("#composer"), { send, stop });
const sidebar = new Sidebar(find(".app"), { open, create: () => open(null), forget: (id) => app.forget(id) });
const status = new StatusChip(find(".status"), () => (app.reconnect(), composer.focus()));
const welcome = new Welcome(find(".welcome"), { pick: (agent) => app.pick(agent), ask: send });
const follower = new Follower(find(".scroller"), find(".scroller-content"), find(".to-end"));
const transcript = new Transcript(find(".transcript"), {
  resend: () => app.conversation?.resend(),
  ask: send,
  dismiss: (key) => (app.conversation?.dismiss(key), composer.focus()),
});

addEventListener("popstate", () => app.showAddressed());
addEventListener("online", () => app.networkChanged(true));
addEventListener("offline", () => isOnThisComputer() || app.networkChanged(false));
addEventListener("storage", () => app.readPast());
addEventListener("keydown", pressed);
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
  if (event.key !== "Escape" || event.isComposing) return;
  if (sidebar.isDrawer) sidebar.closeDrawer();
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
}

function draw() {
  const { conversation, config, picked } = app;
  const model = conversation?.state.model ?? config?.model;
  find(".starting").hidden = Boolean(config);
  welcome.update(!conversation && config !== null, config, picked);
  find(".transcript").hidden = !conversation;
  if (conversation) transcript.update(conversation.state, conversation.status);
  sidebar.update(app.past, conversation?.state.sessionId ?? null);
  status.update(app.status);
  drawFrame(conversation, model);
  composer.update({
    placeholder: app.agent ? `Message ${displayName(app.agent)}` : "Write a message",
    limit: config?.limits?.message_chars ?? Infinity,
    isReady: Boolean(conversation || (config && picked)),
    isRunning: Boolean(conversation && runningTurn(conversation.state)),
    isStopping: conversation?.stopping !== null && conversation?.stopping !== undefined,
  });
}

function drawFrame(conversation, model) {
  const title = conversation ? displayName(conversation.agent) : "New conversation";
  setText(find(".topbar-title"), title);
  setText(find("title"), conversation?.agent ? `${title} · ${NAME}` : NAME);
  find(".demo-badge").hidden = !model?.demo || !conversation;
  setText(find(".model-name"), model?.name ? `Model: ${model.name}` : "");
}

function isOnThisComputer() {
  return /^(localhost|127\.|\[::1\])/.test(location.hostname);
}
