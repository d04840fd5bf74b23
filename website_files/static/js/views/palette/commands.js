/**
 * What the palette and the menu of the message field offer: commands, agents and conversations.
 *
 * @typedef {import("./option-list.js").Option & {name?: string, words?: string}} Choice
 *   `name` is what is typed behind `/`, `words` are others by which it is found
 */

import { ago, displayName } from "../../core/format.js";
import { LEVELS } from "../../core/session/turn-presentation.js";
import { t } from "../../core/words.js";
import { levelName } from "../topbar.js";

/**
 * The commands that are possible now.
 * @param {object} act the functions that carry them out; one that is missing is not offered
 * @returns {Choice[]}
 */
export function commandChoices(act) {
  const group = t`Commands`;
  const all = [
    ["new", t`New conversation`, "begin start chat"],
    ["stop", t`Stop the answer`, "cancel end"],
    ["answer", t`Answer the open question`, "question reply"],
    ["attach", t`Attach files`, "upload add image picture"],
    ["rename", t`Rename this conversation`, "title"],
    ["share", t`Share this conversation`, "invite people members"],
    ["link", t`Copy the link`, "url address clipboard"],
    ["sidebar", t`Show or hide the list of conversations`, "sidebar"],
    ["panel", t`Show or hide tasks and files`, "panel plan"],
    ["people", t`People`, "participants"],
    ["settings", t`Settings`, "options preferences name memory sound"],
    ["theme", t`Change the theme`, "dark light colors appearance"],
    ["language", t`Change the language`, "locale translation"],
    ["notifications", t`Tell me about answers`, "notify notification sound"],
    ["desk", t`Operator desk`, "operator human"],
    ["keys", t`Keys`, "keyboard shortcuts help"],
  ];
  const commands = all.filter(([name]) => act[name]).map(([name, title, words]) => ({
    key: `command-${name}`, group, name, title, words: `${name} ${words}`, run: act[name],
  }));
  return [...commands, ...(act.detail ? levels(act.detail) : [])];
}

function levels(show) {
  return LEVELS.map((level) => ({
    key: `level-${level}`, group: t`Commands`, name: `show-${level}`, title: t`Show: ${levelName(level)}`,
    words: "show detail level", icon: "eye", run: () => show(level),
  }));
}

/** @param {object[]} agents of the server @param {(name: string) => void} begin @returns {Choice[]} */
export function agentChoices(agents, begin) {
  return agents.filter(({ available }) => available).map(({ name, description = "" }) => ({
    key: `agent-${name}`, group: t`New conversation with`, name, title: displayName(name), about: description ?? "",
    words: name, icon: "person", run: () => begin(name),
  }));
}

/** @param {import("../../app/conversation-list.js").Entry[]} entries @param {(id: string) => void} open @returns {Choice[]} */
export function conversationChoices(entries, open) {
  return entries.map(({ id, title, agent, updated }) => ({
    key: `conversation-${id}`, group: t`Conversations`, title: title || t`Untitled`,
    about: `${displayName(agent)} · ${ago(Date.parse(updated) || Date.now())}`, icon: "talk", run: () => open(id),
  }));
}
