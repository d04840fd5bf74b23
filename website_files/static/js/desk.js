/** Entry point of the operator's desk. Connects the model to the views. */

import { shorten } from "./core/format.js";
import { personName, typingLine } from "./core/session/participants.js";
import { firstText } from "./core/session/session-state.js";
import { t } from "./core/words.js";
import { DeskApp } from "./desk/desk-app.js";
import { DeskList } from "./desk/desk-list.js";
import { OperatorBar } from "./desk/operator-bar.js";
import { goToLoginPage } from "./transport/login-page.js";
import { whenLoginIsNeeded } from "./transport/rest-api.js";
import { device } from "./transport/storage.js";
import { AccountMenu } from "./views/account/account-menu.js";
import { ProfileDialog } from "./views/account/profile-dialog.js";
import { Composer } from "./views/composer/composer.js";
import { Transcript } from "./views/messages/transcript.js";
import { Announcer } from "./views/shared/announcer.js";
import { onceAFrame, setText } from "./views/shared/dom.js";
import { InlineForm } from "./views/shared/inline-form.js";
import { loadLanguage } from "./views/shared/language.js";
import { showPageErrors } from "./views/shared/page-errors.js";
import { ScrollFollower } from "./views/shared/scroll-follower.js";
import { followTheme } from "./views/shared/theme.js";
import { ConnectionStatus, startingWords } from "./views/topbar.js";

await loadLanguage();
followTheme();

const NAME_CHARS = 100;
const nothing = () => false; // operators write messages and answer questions to them; they don't act on other people's

const find = (selector) => document.querySelector(selector);

showPageErrors(find(".page-errors"));
whenLoginIsNeeded(goToLoginPage);

const app = new DeskApp({ changed: onceAFrame(draw), opened, happened });
const announcer = new Announcer(find(".announcer"));
const signIn = new InlineForm({
  label: t`Your name`,
  placeholder: t`Your name`,
  value: device.get("name", ""),
  save: t`Begin`,
  limit: NAME_CHARS,
  done: begin,
});
find(".sign-in-form").append(signIn.element);
const profile = new ProfileDialog((changes) => app.changeAccount(changes));
const accountMenu = new AccountMenu(find(".account"), {
  profile: () => profile.open(app.account.me),
  opened: () => app.account.load(),
});
const list = new DeskList(find(".desk-lists"), (id) => app.open(id));
const status = new ConnectionStatus(find(".status"), () => app.reconnect());
const follower = new ScrollFollower(find(".scroller"), find(".scroller-content"), find(".to-end"));
const transcript = new Transcript(find(".transcript"), {
  isAtEnd: () => follower.isFollowing,
  stop: nothing, resend: () => app.conversation.resend(), retry: nothing, continueAnswer: nothing, edit: nothing,
  withdraw: nothing, answer: (requestId, given) => app.conversation.answer(requestId, given), rate: nothing, refocus: nothing, startOver: () => app.open(null),
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
let before = "none"; // handover state at the last draw

addEventListener("popstate", () => app.showPageAddress());
addEventListener("focus", () => app.account.check());
addEventListener("online", () => app.woken());
addEventListener("pageshow", ({ persisted }) => persisted && app.woken());
document.addEventListener("visibilitychange", () => document.hidden || app.woken());
find(".desk-back").addEventListener("click", () => app.open(null));
find(".desk-rename").addEventListener("click", () => (app.signOut(), draw(), signIn.focus()));
setInterval(draw, 30_000); // keeps "5 min" up to date
composer.openDraft("desk.none");
draw();
app.start().then(() => (draw(), app.name || signIn.focus()));

function begin(name) {
  if (!name.trim()) return t`People want to know who answers them.`;
  app.signIn(name.trim());
  return "";
}

// Notifications from the app

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
  follower.contentAdded();
}

function draw() {
  const { conversation, handoverState, wanted } = app;
  const state = conversation?.state;
  const waiting = (wanted ?? []).filter((each) => each.state !== "taken").length;
  setText(find("title"), waiting ? `(${waiting}) ${t`Desk`}` : t`Desk`);
  const { me, isKnown, isOperator } = app.account;
  find(".desk-starting").hidden = Boolean(me);
  setText(find(".starting"), startingWords(app.isUnanswered ? "offline" : "connecting"));
  find(".sign-in").hidden = !me || Boolean(app.name);
  find(".not-operator").hidden = !me || isOperator;
  find(".desk").hidden = !me || !isOperator || !app.name;
  find(".desk-own-name").hidden = isKnown;
  accountMenu.update(isKnown ? me : null);
  find(".desk").dataset.view = conversation ? "conversation" : "list";
  setText(find(".desk-name"), app.name);
  const others = app.operators.filter((name) => name !== app.name);
  setText(find(".desk-others"), others.length ? t`Also here: ${others.join(", ")}` : "");
  list.update(wanted, state?.sessionId ?? null, app.name, app.feed.status === "offline");
  status.update(statusNow());
  drawConversation(conversation, state, handoverState);
}

function drawConversation(conversation, state, handoverState) {
  const { about } = app;
  const person = personName(about?.person ?? state?.turns.find(({ message }) => message)?.message.name);
  const title = state && (state.title || about?.title || shorten(firstText(state)));
  setText(find(".topbar-title"), state ? [person, title].filter(Boolean).join(" · ") : "");
  find(".desk-empty").hidden = Boolean(conversation);
  find(".transcript").hidden = !conversation;
  if (conversation) transcript.update({ ...state, role: "operator" }, conversation.status, "tools");
  setText(find(".typing-line"), typingLine((state?.typing ?? []).filter((name) => name !== app.name)));
  const isOnline = conversation?.status === "online";
  bar.update({
    state: handoverState,
    person,
    operator: state?.held?.operator ?? "",
    reason: state?.held?.reason || about?.reason || "",
    isOnline,
  });
  composer.update({
    isHidden: handoverState !== "mine",
    placeholder: t`Write to ${person}`,
    limit: app.config?.limits?.message_chars ?? Infinity,
    isReady: handoverState === "mine",
    isRunning: false,
    isStopping: false,
  });
  if (handoverState !== before && handoverState === "mine") composer.focus();
  if (handoverState !== before && handoverState === "waiting") bar.focus();
  before = handoverState;
}

/** The worse status of the two connections. */
function statusNow() {
  const { feed, conversation } = app;
  if (conversation?.state.isDeleted) return feed.status === "idle" ? "connecting" : feed.status;
  const order = ["refused", "offline", "connecting", "idle", "online"];
  const all = [feed.status, conversation?.status ?? "online"];
  const worst = order.find((each) => all.includes(each));
  return worst === "idle" ? "connecting" : worst;
}
