/** AG2's own prompts were made for a terminal; these are the same questions for a page. Pure. */

import { displayName } from "./format.js";

const STANDARD = [
  [
    /^Replying as .+?\. Provide feedback to (.+?)\. Press enter to skip\b/,
    (name) => `Would you like to say something to ${name}? Otherwise let it continue, or end here.`,
  ],
  [
    /^Please give feedback to (.+?)\. Press enter to skip\b/,
    (name) => `${name} thinks that it is done. Would you like to say something, let it continue, or end here?`,
  ],
  [
    /^Please give feedback to (.+?)\. Press enter or type 'exit' to stop\b/,
    (name) => `${name} thinks that it is done. Would you like to say something, or end here?`,
  ],
];

/** @returns {string} the question as a person would ask it */
export function humanPrompt(prompt) {
  const known = standard(prompt);
  return known ? known.words(known.name) : prompt.trim();
}

/** @returns {string|null} whom AG2 wants an answer for, when the prompt is one of its own */
export function repliesTo(prompt) {
  return standard(prompt)?.name ?? null;
}

function standard(prompt) {
  for (const [pattern, words] of STANDARD) {
    const found = pattern.exec(prompt);
    if (found) return { words, name: displayName(found[1]) };
  }
  return null;
}
