/**
 * Tool calls whose effect is on the screen anyway, in the plan or as a diff, fold into one row.
 *
 * @typedef {{kind: "folded-steps", key: string, sender: string, ts?: string, items: object[]}} FoldedSteps
 */

import { unfinishedOf } from "./items.js";
import { putItem } from "./turns.js";

/** Notes with the call that is running what it changes: the plan, or the file of that path. */
export function withEffect(turn, path = null) {
  const running = unfinishedOf(turn.items).filter((item) => item.kind === "tool" && item.isBegun);
  if (running.length !== 1) return turn; // of several that run at a time, nobody knows which one it was
  const [call] = running;
  const { plan, paths } = effectOf(call);
  return putItem(turn, { ...call, effect: path === null ? { plan: true, paths } : { plan, paths: [...paths, path] } });
}

/** Whether a call changed the plan, and which files. @returns {{plan: boolean, paths: string[]}} */
export function effectOf(call) {
  return call.effect ?? { plan: false, paths: [] };
}

/** Folds calls in a row that say nothing but what the plan, or the diffs of these paths, show. @param {Set<string>} paths */
export function foldSteps(blocks, paths) {
  const folded = [];
  for (const block of blocks) {
    const last = folded.at(-1);
    if (!isRepeated(block, paths)) folded.push(block);
    else if (last?.kind === "folded-steps" && last.sender === block.sender) last.items.push(block);
    else folded.push({ kind: "folded-steps", key: `folded-${block.key}`, sender: block.sender, ts: block.ts, items: [block] });
  }
  return folded;
}

function isRepeated(block, paths) {
  if (block.kind !== "tool" || block.state !== "ok" || block.inner || block.output || block.parts) return false;
  const effect = effectOf(block);
  return (effect.plan || effect.paths.length > 0) && effect.paths.every((path) => paths.has(path));
}
