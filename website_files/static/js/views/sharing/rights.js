/**
 * Words about who may see a conversation, and for how long.
 *
 * @typedef {import("../../transport/sharing-api.js").Sharing} Sharing
 */

/** Words for what a role allows. */
export const ROLES = { member: "Can take part", viewer: "Can only read" };

/** `Can only read · until 3 Dec, 14:05` */
export function rights({ role, expires }) {
  return ROLES[role] + (expires && ` · until ${day(expires)}`);
}

/** `Ada lets you read this conversation, until 3 Dec, 14:05.` */
export function sharedBy(owner, { role, expires }) {
  const what = role === "viewer" ? "lets you read this conversation" : "lets you take part in this conversation";
  return `${userName(owner)} ${what}${expires && `, until ${day(expires)}`}.`;
}

function day(ts) {
  return new Date(ts).toLocaleString(undefined, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
}

/** A user's name; the account may have been removed. */
export function userName({ name }) {
  return name || "Somebody who has left";
}

/** @param {Sharing} sharing */
export function isOwner({ you, owner }) {
  return you === owner.id;
}

/** What the person may do, as a member; undefined for the owner. @param {Sharing} sharing */
export function ownMembership({ you, members }) {
  return members.find(({ id }) => id === you);
}
