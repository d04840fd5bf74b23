/**
 * Files that go with a person's message.
 *
 * @typedef {{path: string, sha256: string, size: number, media_type: string, sessionId: string}} Attachment
 */

const SEEN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

export const MOST = 20; // of a message; the server's limit

/** Whether models can be shown the file, and so can people. */
export function isImage({ media_type: type }) {
  return SEEN.has(type);
}

/** The attachments as a command names them. @param {Attachment[]|undefined} attachments */
export function references(attachments) {
  return attachments?.length ? { attachments: attachments.map(({ path, sha256 }) => ({ path, sha256 })) } : {};
}

/** The name of a file without its folders. */
export function nameOf({ path }) {
  return path.slice(path.lastIndexOf("/") + 1);
}
