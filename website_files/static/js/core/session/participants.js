/** Participants of a session: who is present, who is typing, and who wrote which message. */

import { t, tn } from "../words.js";

const NOBODY = "user"; // the name the server gives to everyone without one

/** Updates who is present; anyone who left is no longer typing. */
export function onPresence(state, { participants = [] }) {
  const here = new Set(participants.map((each) => each.name));
  return { ...state, participants, typing: state.typing.filter((name) => here.has(name)) };
}

export function onTyping(state, { name, is_typing: isTyping }) {
  const rest = stopTyping(state, name);
  return isTyping ? { ...rest, typing: [...rest.typing, name] } : rest;
}

export function stopTyping(state, name) {
  if (!state.typing.includes(name)) return state;
  return { ...state, typing: state.typing.filter((each) => each !== name) };
}

export function isViewer(state) {
  return state.role === "viewer";
}

export function isMe(state, { name, role }) {
  return name === state.name && role === state.role;
}

/** Display name of a person, exactly as they entered it. */
export function personName(name) {
  if (!name) return t`Somebody`;
  return name === NOBODY ? t`User` : name;
}

/** Whether this person may edit the message. Anyone may edit an anonymous one. */
export function isMine(state, message) {
  return !message.name || message.name === state.name || message.name === NOBODY;
}

/** Whether to show names: only once there are several to tell apart. */
export function showsNames(state) {
  const names = state.turns.flatMap((turn) => turn.message?.name ?? []);
  return new Set([...names, ...(state.name ? [state.name] : [])]).size > 1;
}

/** `Ada is writing…`, `Ada and Ben are writing…`, or an empty string. */
export function typingLine(names) {
  const [first, second] = names.map(personName);
  if (names.length === 0) return "";
  if (names.length === 1) return t`${first} is writing…`;
  return names.length === 2 ? t`${first} and ${second} are writing…` : tn(names.length, "{n} person is writing…", "{n} people are writing…");
}
