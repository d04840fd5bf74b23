/** Entry point of the chat page. Connects the model to the views. */

import { ChatApp } from "./app/chat-app.js";
import { OpenFile } from "./app/open-file.js";
import { SeenConversations } from "./app/seen.js";
import { Telling } from "./app/telling.js";
import { displayName } from "./core/format.js";
import { keyAction } from "./core/keys.js";
import { isViewer, typingLine } from "./core/session/participants.js";
import { progress } from "./core/session/plan.js";
import { isWaiting, runningTurn } from "./core/session/session-state.js";
import { totalSummary } from "./core/session/usage.js";
import { t } from "./core/words.js";
import { draftKey } from "./transport/drafts.js";
import { goToLoginPage } from "./transport/login-page.js";
import { readPageAddress, takeInvitation } from "./transport/page-address.js";
import {
  eraseMemory, fetchFile, fetchFileDiff, fetchFileVersions, fetchMemory, fetchSessions, whenLoginIsNeeded, writeNote,
} from "./transport/rest-api.js";
import { fetchSharing, invite, putOut, revoke } from "./transport/sharing-api.js";
import { AccountMenu } from "./views/account/account-menu.js";
import { ProfileDialog } from "./views/account/profile-dialog.js";
import { Answering } from "./views/composer/answering.js";
import { FileInput, SendingLater, UploadTray } from "./views/composer/attachments.js";
import { Composer } from "./views/composer/composer.js";
import { HandoverBanner } from "./views/composer/handover-banner.js";
import { DeadLink } from "./views/dead-link.js";
import { Transcript } from "./views/messages/transcript.js";
import { FilesPanel } from "./views/panels/files-panel.js";
import { agentChoices, commandChoices, conversationChoices } from "./views/palette/commands.js";
import { KeysDialog } from "./views/palette/keys-dialog.js";
import { Palette } from "./views/palette/palette.js";
import { SlashMenu } from "./views/palette/slash-menu.js";
import { PeoplePanel } from "./views/panels/people-panel.js";
import { PlanPanel } from "./views/panels/plan-panel.js";
import { SidePanel } from "./views/panels/side-panel.js";
import { listenToKeys } from "./views/page-keys.js";
import { ReaderPanel } from "./views/reader/reader-panel.js";
import { SettingsDialog } from "./views/settings/settings-dialog.js";
import { Announcer } from "./views/shared/announcer.js";
import { onceAFrame, setAttribute, setText } from "./views/shared/dom.js";
import { loadLanguage } from "./views/shared/language.js";
import { showPageErrors } from "./views/shared/page-errors.js";
import { ScrollFollower } from "./views/shared/scroll-follower.js";
import { ShareDialog } from "./views/sharing/share-dialog.js";
import { ConversationListView } from "./views/sidebar/conversation-list-view.js";
import { DeletedLine } from "./views/sidebar/deleted-line.js";
import { Sidebar } from "./views/sidebar/sidebar.js";
import { ConnectionStatus, DetailSwitch, TitleBar, startingWords } from "./views/topbar.js";
import { markIcon, playSound } from "./views/told/page-mark.js";
import { ToldOffer } from "./views/told/told-offer.js";
import { Welcome } from "./views/welcome.js";

await loadLanguage();

const find = (selector) => document.querySelector(selector);
const invitation = takeInvitation(); // first of all, so that nobody sees its secret

showPageErrors(find(".page-errors"));
whenLoginIsNeeded(goToLoginPage);

const app = new ChatApp({ changed: onceAFrame(draw), opened, named, happened, missed });
const announcer = new Announcer(find(".announcer"));
const wrote = (isWriting) => app.conversation?.wrote(isWriting);
const composer = new Composer(find("#composer"), {
  send: (text) => later.send(text),
  stop,
  wrote: (isWriting) => (wrote(isWriting), answering.wrote(isWriting)),
  pressed: pressedInComposer,
  changed: (text) => (later.forget(), slashMenu.update(text, answering.target.kind === "message")),
});
const later = new SendingLater({
  isUploading: () => app.isUploading && answering.target.kind === "message",
  attached: () => app.attached,
  changed: () => drawFoot(),
  send: (text) => answering.send(text),
  submit: () => composer.submit(),
});
const slashMenu = new SlashMenu(find("#composer"), find("#message"), {
  options: () => [
    ...commandChoices(commands()).map((each) => ({ ...each, about: `/${each.name}` })),
    ...agentChoices(app.config?.agents ?? [], beginWith),
  ],
  clear: () => composer.write(""),
});
const answering = new Answering(find(".answer-line"), composer, {
  answer,
  message: (text) => send(text, app.attached),
  changed: () => drawFoot(),
  show: (requestId) => showQuestion(requestId),
});
const sidebar = new Sidebar(find(".app"), () => open(null));
const conversations = new ConversationListView(find(".conversations"), {
  open,
  rename: (id, title) => app.rename(id, title),
  pin: (entry) => app.pins.toggle(entry),
  delete: (entry) => app.delete(entry),
  undo,
  share,
  leave: (id) => app.leave(id).then(() => find(".search").focus()),
  search: (query) => app.conversations.search(query),
  more: () => app.conversations.more(),
  all: () => app.conversations.all(),
});
const holdDeletion = (isHeld) => app.deletion.hold(isHeld);
const deletedLine = new DeletedLine(find(".deleted-line"), () => conversations.focus(undo()), holdDeletion);
const title = new TitleBar(find(".topbar-title"), (id, words) => app.rename(id, words));
const people = new PeoplePanel(find(".people-button"), find(".people-panel"), share);
const shareDialog = new ShareDialog({ fetch: fetchSharing, invite, revoke, putOut, leave: (id, you) => app.leave(id, you) });
const profile = new ProfileDialog((changes) => app.changeAccount(changes));
const accountMenu = new AccountMenu(find(".account"), {
  profile: () => profile.open(app.account.me),
  opened: () => app.account.load(),
});
const panel = new SidePanel(find(".app"));
const plan = new PlanPanel(find(".plan"), (id, now) => app.conversation.tick(id, now));
const fileInput = new FileInput(find(".stage"), find(".file-picker"), (given) => (app.attach(given), focusComposer()));
const files = new FilesPanel(find(".files"), {
  choose: () => fileInput.choose(),
  delete: (path) => app.deleteFile(path).then(() => find(".panel-close").focus()),
});
const openFile = new OpenFile(onceAFrame(() => reader.update()), {
  versions: fetchFileVersions, content: fetchFile, diff: fetchFileDiff,
});
const reader = new ReaderPanel(find(".app"), openFile, {
  sessionId: () => app.conversation?.state.sessionId ?? null,
  opening: () => panel.isSheet && panel.close(),
});
const tray = new UploadTray(find(".uploads"), {
  dismiss: (key) => (app.uploads.dismiss(key), focusComposer()),
  again: (key) => (app.uploads.again(key), focusComposer()),
});
const handover = new HandoverBanner(find(".handover-banner"), () => (app.conversation.handBack(""), focusComposer()));
const status = new ConnectionStatus(find(".status"), () => (app.reconnect(), composer.focus()));
const welcome = new Welcome(find(".welcome"), { pick: (agent) => app.pick(agent), ask: (text) => send(text) });
const deadLink = new DeadLink(find(".dead-link"), () => (app.leaveDeadLink(), focusComposer()));
const follower = new ScrollFollower(find(".scroller"), find(".scroller-content"), find(".to-end"));
const detail = new DetailSwitch(find(".detail-switch"), () => draw());
const transcript = new Transcript(find(".transcript"), {
  isAtEnd: () => follower.isFollowing,
  left: () => follower.leave(),
  lost: () => app.tell(t`What was found is in a version of the conversation that does not count any more.`),
  stop: () => (isWaiting(app.conversation.state) || stop(), focusComposer()),
  resend: () => (app.resend(), focusComposer()),
  retry: () => (app.conversation.retry(), focusComposer()),
  continueAnswer: () => send(t`Continue.`),
  edit: (seq, text) => app.conversation.edit(seq, text),
  withdraw: (turn) => (app.conversation.withdraw(turn), focusComposer()),
  answer,
  write: (requestId) => answering.choose(requestId),
  rate: (seq, score, comment) => app.conversation.rate(seq, score, comment),
  refocus: focusComposer,
  startOver: () => (app.startOver(), focusComposer()),
  dismiss: (key) => (app.conversation.dismiss(key), composer.focus()),
});

const palette = new Palette({
  options: () => [
    ...conversationChoices(otherConversations(), open),
    ...agentChoices(app.config?.agents ?? [], beginWith),
    ...commandChoices(commands()),
  ],
  search: async (query) => conversationChoices((await fetchSessions({ q: query, limit: 20 })).sessions, open),
});
const keysDialog = new KeysDialog();
const telling = new Telling({
  isHidden: () => document.hidden,
  shown: () => app.conversation?.state.sessionId ?? null,
  go: goToNews,
  changed: () => draw(),
  play: playSound,
});
const seen = new SeenConversations();
const settings = new SettingsDialog(telling, {
  callMe: (name) => app.callMe(name),
  profile: () => profile.open(app.account.me),
  memory: {
    fetch: () => fetchMemory(app.name),
    erase: (key) => eraseMemory(app.name, key),
    write: (key, value) => writeNote(app.name, key, value),
  },
});
const toldOffer = new ToldOffer(telling, focusComposer);
find(".typing-line").before(toldOffer.element);

document.body.append(shareDialog.element, palette.element, keysDialog.element, settings.element);
addEventListener("popstate", () => app.showPageAddress());
addEventListener("hashchange", () => accept(takeInvitation()));
addEventListener("online", () => app.networkChanged(true));
addEventListener("offline", () => isOnThisComputer() || app.networkChanged(false));
const drawer = { get isOpen() { return sidebar.isDrawer; }, close: () => sidebar.closeDrawer() };
listenToKeys({ palette, settings, keysDialog }, [reader, drawer, panel]);
addEventListener("pageshow", ({ persisted }) => persisted && app.woken());
addEventListener("pagehide", () => app.deletion.finish());
document.addEventListener("visibilitychange", () => document.hidden && app.deletion.finish());
document.addEventListener("visibilitychange", () => document.hidden || (app.woken(), telling.looked(), draw()));
addEventListener("focus", () => (app.account.check(), app.conversations.refresh()));
find(".attach-button").addEventListener("click", () => fileInput.choose());
find(".deleted-banner button").addEventListener("click", () => (app.startOver(), focusComposer()));
find(".notice-banner button").addEventListener("click", () => (app.tell(""), focusComposer()));
find(".palette-button").addEventListener("click", () => (sidebar.closeDrawer(), palette.open()));
for (const each of document.querySelectorAll(".settings-button")) each.addEventListener("click", () => settings.open());
setInterval(draw, 60_000); // keeps "5 min" up to date
setInterval(refreshList, 15_000);
composer.openDraft(draftKey(readPageAddress().sessionId));
focusComposer();
draw();
app.start();
settings.reopen();
accept(invitation);

// Intents

function send(text, attached) {
  app.send(text, attached);
  follower.toEnd();
  focusComposer();
}

function stop() {
  const { conversation } = app;
  if (conversation && !isViewer(conversation.state)) conversation.stop();
}

function undo() {
  return app.undoDelete();
}

function share(sessionId) {
  shareDialog.open(sessionId);
}

function accept(secret) {
  if (secret) app.join(secret);
}

function otherConversations() {
  return app.conversations.entries.filter(({ id }) => id !== app.conversation?.state.sessionId);
}

/** Begins a new conversation with an agent. */
function beginWith(agent) {
  if (app.conversation || app.link) open(null);
  app.pick(agent);
  composer.focus();
}

/** The commands that are possible now. */
function commands() {
  const { conversation, account } = app;
  const state = conversation?.state;
  const canWrite = Boolean(state?.sessionId) && !isViewer(state) && !state.isDeleted;
  return {
    new: () => open(null),
    stop: canWrite && runningTurn(state) ? stop : null,
    answer: answering.target.question ? () => answering.choose(answering.target.question.requestId) : null,
    attach: app.takesFiles ? () => fileInput.choose() : null,
    rename: canWrite ? () => title.rename() : null,
    share: canWrite && account.isKnown ? () => share(state.sessionId) : null,
    link: state?.sessionId && navigator.clipboard ? copyLink : null,
    sidebar: () => sidebar.toggle(),
    panel: panel.hasContent ? () => panel.toggle() : null,
    people: state?.sessionId ? () => find(".people-panel").showPopover() : null,
    settings: () => settings.open(),
    theme: () => settings.open("theme"),
    language: () => settings.open("language"),
    notifications: telling.canNotify && !telling.notifies ? () => telling.setNotifies(true) : null,
    desk: account.isOperator ? () => location.assign("./desk") : null,
    keys: () => keysDialog.open(),
    detail: conversation ? (level) => detail.choose(level) : null,
  };
}

async function copyLink() {
  await navigator.clipboard.writeText(location.href);
  announcer.say(t`The link is copied.`);
}

function answer(requestId, given) {
  const isSent = app.conversation.answer(requestId, given);
  if (isSent) focusComposer();
  return isSent;
}

/** Opens a conversation, at its end or at what was said with a `seq`. */
function open(sessionId, seq = 0) {
  app.open(sessionId);
  sidebar.closeDrawer();
  focusComposer();
  transcript.goTo(seq ? { sessionId, seq } : null);
}

/** Goes to an answer or a question that somebody was told of. */
function goToNews({ sessionId, turn, requestId }) {
  focus();
  if (app.conversation?.state.sessionId !== sessionId) return open(sessionId);
  if (requestId) showQuestion(requestId);
  else find(`.turn[data-turn="${turn}"] .turn-items`)?.lastElementChild?.scrollIntoView({ block: "end" });
}

/** Only the server knows what becomes of conversations that are not open, and what is done elsewhere. */
function refreshList() {
  if (!document.hidden) app.conversations.refresh();
}

/** Focuses the message field, except on phones, where the keyboard would cover what was just opened. */
function focusComposer() {
  if (matchMedia("(hover: hover)").matches) composer.focus();
}

/** Returns whether the key was for something else than the text. */
function pressedInComposer(event, text) {
  if (slashMenu.pressed(event)) return true;
  if (keyAction(event, text ? ["field"] : ["field", "empty"]) !== "edit last") return false;
  const last = [...document.querySelectorAll(".transcript .message-edit:not([hidden], :disabled)")].at(-1);
  last?.click();
  return Boolean(last);
}

function showQuestion(requestId) {
  const card = find(`.question-card[data-request="${CSS.escape(requestId)}"]`);
  card?.scrollIntoView({ block: "center" });
  card?.querySelector("input, button")?.focus({ preventScroll: true });
}

// Notifications from the app

function opened(sessionId) {
  composer.openDraft(draftKey(sessionId));
  telling.opened();
  reader.leave();
  transcript.clear();
  draw();
  if (app.conversation) follower.toEnd();
  else follower.toStart();
}

function named(sessionId) {
  composer.moveDraft(draftKey(sessionId));
}

function happened(frame) {
  announcer.happened(frame);
  telling.happened(frame, app.conversation.state);
  if (!["presence", "typing"].includes(frame.type)) follower.contentAdded();
  openFile.happened(frame);
  if (frame.type === "presence") shareDialog.changed(app.conversation.state.sessionId);
  if (frame.type === "turn_completed") settings.refresh();
}

function missed(frame) {
  announcer.happened(frame);
  telling.happened(frame, app.conversation.state);
}

function draw() {
  const { conversation, config, picked, link } = app;
  const state = conversation?.state;
  find(".starting").hidden = Boolean(config) && (!link || link.isDead);
  setAttribute(find(".app"), "data-starting", !find(".starting").hidden);
  setText(find(".starting"), app.problem || startingWords(app.status));
  deadLink.update(Boolean(link?.isDead), app.account.isKnown);
  find(".app").dataset.role = readPageAddress().role; // somebody who follows a link for reading only has no list
  welcome.update(!conversation && !link && config !== null, config, picked);
  find(".transcript").hidden = !conversation;
  find(".detail-switch").hidden = !conversation;
  if (conversation) transcript.update(state, conversation.status, detail.level);
  seen.mark(app.conversations, document.hidden ? null : state?.sessionId ?? null);
  conversations.update(app.conversations, app.pins.entries(app.conversations), state?.sessionId ?? null);
  deletedLine.update(app.deletion.current);
  title.update(conversation, telling.news ? "● " : "", link?.isDead ? t`Not found` : t`New conversation`);
  markIcon(telling.news !== null);
  toldOffer.update(telling.isOffered);
  people.update(state, Boolean(config?.login));
  settings.update(app.name, app.account);
  drawAccount(app.account);
  status.update(app.status);
  drawPanel(state);
  drawModel(state?.model ?? config?.model, Boolean(conversation), state?.spent);
  drawFoot();
}

function drawModel(model, isTalking, spent) {
  find(".demo-badge").hidden = !model?.demo || !isTalking;
  const parts = [model?.name ? t`Model: ${model.name}` : "", ...(spent ? totalSummary(spent) : [])];
  setText(find(".model-name"), parts.filter(Boolean).join(" · "));
}

function drawAccount({ me, isKnown }) {
  setAttribute(find(".app"), "data-account", isKnown);
  accountMenu.update(isKnown ? me : null);
}

function drawPanel(state) {
  const tasks = state?.tasks ?? [];
  const canWrite = Boolean(state) && !isViewer(state) && !state.isDeleted;
  plan.update(tasks, canWrite && app.status === "online");
  files.update(app.files, state?.sessionId ?? null, canWrite);
  panel.update(progress(tasks), app.files.entries.length, Boolean(app.files.problem));
}

function drawFoot() {
  const { conversation, config, picked, link } = app;
  const state = conversation?.state;
  const isReading = Boolean(state && isViewer(state));
  const isGone = Boolean(state?.isDeleted);
  setText(find(".typing-line"), typingLine(state?.typing ?? []));
  find(".viewer-line").hidden = !isReading || isGone;
  find(".deleted-banner").hidden = !isGone;
  find(".notice-banner").hidden = !app.notice;
  setText(find(".notice-banner p"), app.notice);
  handover.update(isGone ? null : state?.held ?? null, !isReading, app.status === "online");
  const uploads = app.uploads.entries.filter(({ sessionId }) => sessionId === (state?.sessionId ?? null));
  tray.update(uploads, sees(state));
  fileInput.isOpen = app.takesFiles;
  find(".attach-button").disabled = !app.takesFiles;
  answering.update(state);
  find(".transcript").dataset.questions = answering.target.questions.length > 1 ? "several" : "one";
  composer.update({
    isHidden: isReading || isGone || Boolean(link?.isDead),
    placeholder: placeholder(state),
    ...answering.field,
    limit: config?.limits?.message_chars ?? Infinity,
    isReady: !app.isBeginning && !link && Boolean(conversation || (config && picked)),
    isRunning: Boolean(state && runningTurn(state)),
    isStopping: Boolean(conversation) && conversation.stopping !== null,
    note: later.isWaiting ? t`Is sent as soon as the files are uploaded.` : "",
    hasFiles: answering.target.kind === "message" && (app.attached.length > 0 || app.isUploading),
  });
  later.update(uploads);
}

/** Whether agents are shown images, as far as the page knows. */
function sees(state) {
  return (state?.model ?? app.config?.model)?.vision !== false;
}

function placeholder(state) {
  if (state?.held) return state.held.operator ? t`Message ${state.held.operator}` : t`Write to whoever comes`;
  return app.agent ? t`Message ${displayName(app.agent)}` : t`Write a message`;
}

function isOnThisComputer() {
  return /^(localhost|127\.|\[::1\])/.test(location.hostname);
}
