/** A hand-over in words. Pure. */

import { displayName } from "./format.js";
import { personName } from "./participants.js";

const WORDS = {
  agents: ({ from, to }) => `${displayName(from)} → ${displayName(to)}`,
  wanted: ({ from }) => `${displayName(from)} asks for a person`,
  taken: ({ to }) => `${personName(to)} took over`,
  returned: ({ from }) => `${personName(from)} gave the conversation back`,
};

export function handoffWords({ how, from, to, reason }) {
  const words = WORDS[how]?.({ from, to }) ?? `${from} → ${to}`;
  return reason ? `${words}: ${reason}` : words;
}
