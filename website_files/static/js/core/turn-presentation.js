/**
 * What of a turn is shown, and how it stands together. Pure.
 *
 * @typedef {"final"|"agents"|"tools"|"all"} Level how much people want to see
 * @typedef {import("./session-state.js").Turn} Turn
 */

/** @type {Level[]} each shows what those before it show, and more */
export const LEVELS = ["final", "agents", "tools", "all"];

/** From which level on something is shown; what is not listed always is. */
const FROM = { message: "agents", reasoning: "agents", talk: "agents", tool: "tools", event: "all" };
const QUIET = new Set(["event", "file", "talk"]); // of these alone nobody would call a turn answered
const HUMAN = "human"; // who answers a turn while a person has the conversation

/** @param {Turn} turn @param {Level} level */
export function arranged(turn, level) {
  const items = turn.items.filter(isShown(turn, level));
  const isOver = turn.status !== "running";
  const blocks = grouped(items, isOver);
  if (turn.codeChanges.length) blocks.push({ kind: "changes", key: "changes", changes: turn.codeChanges });
  if (isEmpty(turn)) blocks.push({ kind: "empty", key: "empty" });
  return withSpeakers(blocks);
}

/** Puts a line with the speaker's name where the speaker changes. */
export function withSpeakers(items) {
  let last = null;
  return items.flatMap((item) => {
    const { sender, ts, isOperator = false } = item;
    const speaker = sender && `${isOperator} ${sender}`;
    if (!sender || speaker === last) return [item];
    last = speaker;
    return [{ kind: "speaker", key: `speaker-${item.key}`, sender, ts, isOperator }, item];
  });
}

/** While a human has the conversation, a message is only passed on: nobody owes it an answer at once. */
export function isPassedOn(turn) {
  return turn.agent === HUMAN;
}

function isShown(turn, level) {
  const rank = LEVELS.indexOf(level);
  const answer = turn.status === "running" ? null : turn.items.findLast((item) => item.kind === "message" && !item.within);
  const inCard = new Set(turn.codeChanges.map((change) => change.path));
  return (item) => {
    if (item.kind === "file" && inCard.has(item.path)) return false;
    return item === answer || item.isOperator || rank >= LEVELS.indexOf(FROM[item.kind] ?? LEVELS[0]);
  };
}

function isEmpty(turn) {
  const hasSaid = turn.items.some((item) => !QUIET.has(item.kind)) || turn.codeChanges.length > 0;
  return turn.status === "completed" && turn.message !== null && !hasSaid && !isPassedOn(turn);
}

/** A nested chat becomes one block, and so do files that were written one after another. */
function grouped(items, isOver) {
  const blocks = [];
  for (const item of items) {
    const block = blockOf(item);
    const last = blocks.at(-1);
    if (!block) blocks.push(item);
    else if (last?.kind === block.kind && last.of === block.of) last.items.push(item);
    else blocks.push({ ...block, key: `${block.kind}-${item.key}`, items: [item] });
  }
  const newest = blocks.at(-1);
  if (newest?.kind === "inner") newest.isLive = !isOver;
  return blocks;
}

function blockOf(item) {
  if (item.within) return { kind: "inner", of: item.within, sender: item.within, ts: item.ts };
  if (item.kind === "file") return { kind: "files", of: `${item.by} ${verb(item)}`, by: item.by, verb: verb(item) };
  return null;
}

function verb({ how, isUpload }) {
  if (how === "deleted") return "deleted";
  return isUpload ? "added" : "wrote";
}
