/** Who is here, who writes, and whose message is whose. Pure. */

const NOBODY = "user"; // the name of all who gave none

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

/** As they wrote it themselves. */
export function personName(name) {
  if (!name) return "Somebody";
  return name === NOBODY ? "User" : name;
}

/** What nobody put a name to may be changed by everybody. */
export function isMine(state, message) {
  return !message.name || message.name === state.name || message.name === NOBODY;
}

/** Names are shown once there is more than one to tell apart. */
export function showsNames(state) {
  const names = state.turns.flatMap((turn) => turn.message?.name ?? []);
  return new Set([...names, ...(state.name ? [state.name] : [])]).size > 1;
}

/** @returns {string} `Ada is writing…`, `Ada and Ben are writing…`, or nothing */
export function typingLine(names) {
  const [first, second] = names.map(personName);
  if (names.length === 0) return "";
  if (names.length === 1) return `${first} is writing…`;
  return names.length === 2 ? `${first} and ${second} are writing…` : `${names.length} people are writing…`;
}
