/** The newest words of a text that is being written. */

const MOST = 120; // characters
const MARKS = /^[\s>#*+-]+|[*_`]+/g; // Markdown's, which mean nothing in one line

/** The last line of a text without Markdown's marks; of a long one its end. */
export function lastWords(text) {
  const line = text.slice(text.trimEnd().lastIndexOf("\n") + 1).replace(MARKS, "").trim();
  const characters = Array.from(line);
  if (characters.length <= MOST) return line;
  const end = characters.slice(-MOST).join("");
  return `…${end.slice(end.indexOf(" ") + 1)}`;
}
