/**
 * Decides what to show of a turn: the visible items, how they are grouped, and what the person may do with it.
 *
 * @typedef {"final"|"agents"|"tools"|"all"} Level how much of the agents' work to show
 * @typedef {"edit"|"withdraw"|"send-now"|"rate"|"retry"|"continue"|"answer"|"named"|"online"|"replayed"} Action
 *   `named`: the person's name is shown. `replayed`: the log is still being replayed, so nothing opens by itself
 * @typedef {import("./session-state.js").Turn} Turn
 */

import { foldSteps } from "./folded-steps.js";
import { arranged } from "./inner-chats.js";
import { isMine, isViewer, showsNames } from "./participants.js";
import { isWaiting, runningTurn } from "./session-state.js";
import { t } from "../words.js";

/** @type {Level[]} in order: each shows more than the one before */
export const LEVELS = ["final", "agents", "tools", "all"];

/** The lowest level that shows each kind of item. Kinds that are not listed are always shown. */
const FROM = {
  message: "agents", reasoning: "agents", "code-result": "agents", "chat-start": "agents",
  tool: "tools", output: "tools", event: "all",
};
const INNER = "agents"; // the lowest level that shows anything of inner chats
const QUIET = new Set(["event", "file", "chat-start", "output"]); // a turn with nothing else has no answer
const HUMAN = "human"; // a turn's agent while a person has the conversation

/** The blocks to show for a turn at this level. @param {Turn} turn @param {Level} level @param isLive whether it goes on */
export function visibleItems(turn, level, isLive = turn.status === "running") {
  const items = turn.items.filter(isShown(turn, level));
  const arrangedItems = withFiles(arranged(items, !isLive));
  const blocks = level === "tools" ? foldSteps(arrangedItems, pathsInCard(turn)) : arrangedItems;
  if (turn.codeChanges.length) blocks.push({ kind: "changes", key: "changes", changes: turn.codeChanges });
  const notice = turn.notice || (isEmpty(turn) ? t`The answer was empty.` : "");
  if (notice) blocks.push({ kind: "notice", key: "notice", notice });
  return withSpeakers(blocks);
}

/** Inserts a line with the speaker's name wherever the speaker changes. */
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

/** Whether the message only went to a human operator, who may answer at any time, outside this turn. */
export function isPassedOn(turn) {
  return turn.agent === HUMAN;
}

/** The last message of a turn that is over, or undefined. */
export function lastAnswer(turn) {
  if (turn.status === "running") return undefined;
  return turn.items.findLast((item) => item.kind === "message" && !item.within);
}

function isShown(turn, level) {
  const rank = LEVELS.indexOf(level);
  const answer = lastAnswer(turn);
  const inCard = pathsInCard(turn);
  return (item) => {
    if (item.kind === "file" && inCard.has(item.path)) return false;
    const from = FROM[item.kind] ?? (item.within ? INNER : LEVELS[0]);
    return item === answer || item.isOperator || rank >= LEVELS.indexOf(from);
  };
}

/** The files whose changes the turn's card shows. */
function pathsInCard({ codeChanges }) {
  return new Set(codeChanges.map((change) => change.path));
}

function isEmpty(turn) {
  const hasSaid = turn.items.some((item) => !QUIET.has(item.kind)) || turn.codeChanges.length > 0;
  return turn.status === "completed" && turn.message !== null && !hasSaid && !isPassedOn(turn);
}

/** Groups files that were changed in a row, by the same agent in the same way, into one block. */
function withFiles(items) {
  const blocks = [];
  for (const item of items) {
    const last = blocks.at(-1);
    if (item.kind !== "file") blocks.push(item);
    else if (last?.kind === "files" && last.by === item.by && last.verb === verb(item)) last.items.push(item);
    else blocks.push({ kind: "files", key: `files-${item.key}`, by: item.by, verb: verb(item), items: [item] });
  }
  return blocks;
}

function verb({ how, isUpload }) {
  if (how === "deleted") return "deleted";
  return isUpload ? "added" : "wrote";
}

/**
 * Returns a function that lists what the person may do with a turn right now.
 * @param {import("./session-state.js").State} state
 * @returns {(turn: import("./session-state.js").Turn) => Action[]}
 */
export function turnActions(state, isOnline) {
  const running = runningTurn(state);
  const next = state.turns.find((turn) => turn.status === "queued");
  const isQuiet = !running && !next && !state.held;
  const last = state.turns.findLast((turn) => turn.number > 0);
  const isReplayed = state.lastSeq < state.replayUntil;
  const always = [showsNames(state) && "named", isOnline && "online", isReplayed && "replayed"].filter(Boolean);
  if (state.role === "operator") return (turn) => (turn === running ? [...always, "answer as operator"] : always);
  if (isViewer(state)) return () => always;

  return (turn) => {
    const isOwn = turn.message !== null && isMine(state, turn.message);
    const waits = turn.status === "queued";
    const counts = turn.status !== "withdrawn";
    const isNewest = isQuiet && counts && turn === last && turn.message !== null && !isPassedOn(turn);
    const can = {
      edit: isOwn && counts && (waits || turn === running || isQuiet),
      withdraw: isOwn && waits,
      "send-now": isOwn && running && turn === next && !isWaiting(state),
      rate: isRatable(lastAnswer(turn)),
      retry: isNewest,
      continue: isNewest && state.pending.length === 0 && isContinuable(lastAnswer(turn)),
      answer: turn === running,
    };
    return [...always, ...Object.keys(can).filter((action) => can[action])];
  };
}

/** Whether it has a beginning, and no end because the model reached its limit of tokens. */
function isContinuable(answer) {
  return Boolean(answer?.isCutOff && answer.text.trim());
}

/** Whether an agent said it, and not in passing with a tool call. */
function isRatable(answer) {
  return Boolean(answer?.seq) && !answer.isOperator;
}

/** Caches the view model of each turn until something about it changes, as views compare by identity. */
export class ShownTurns {
  #known = new WeakMap(); // turn → { how, shown }

  /** @param me the person's name */
  show(turn, actions, level, me) {
    const how = [level, ...actions, me].join();
    const known = this.#known.get(turn);
    if (known?.how === how) return known.shown;
    const shown = { ...turn, can: new Set(actions), level, me };
    this.#known.set(turn, { how, shown });
    return shown;
  }
}
