/**
 * Words about who may see a conversation, and for how long.
 *
 * @typedef {import("../../transport/sharing-api.js").Sharing} Sharing
 */

import { dayAndTime } from "../../core/format.js";
import { t } from "../../core/words.js";

/** Words for what a role allows. */
export function roles() {
  return { member: t`Can take part`, viewer: t`Can only read` };
}

/** `Can only read · until 3 Dec, 14:05` */
export function rights({ role, expires }) {
  return roles()[role] + (expires && ` · ${t`until ${dayAndTime(expires)}`}`);
}

/** `Ada lets you read this conversation, until 3 Dec, 14:05.` */
export function sharedBy(owner, { role, expires }) {
  const [name, end] = [userName(owner), expires && dayAndTime(expires)];
  if (role === "viewer") {
    return end ? t`${name} lets you read this conversation, until ${end}.` : t`${name} lets you read this conversation.`;
  }
  return end
    ? t`${name} lets you take part in this conversation, until ${end}.`
    : t`${name} lets you take part in this conversation.`;
}

/** A user's name; the account may have been removed. */
export function userName({ name }) {
  return name || t`Somebody who has left`;
}

/** @param {Sharing} sharing */
export function isOwner({ you, owner }) {
  return you === owner.id;
}

/** What the person may do, as a member; undefined for the owner. @param {Sharing} sharing */
export function ownMembership({ you, members }) {
  return members.find(({ id }) => id === you);
}
