/** Results of code that an agent has run, which AG2 reports as a text of this form. */

import { t } from "../words.js";

const FORM = /^exitcode: (-?\d+) \([^()\n]*\)\nCode output: ?\n*([^]*)$/;

/** @returns {{exitCode: number, text: string}|null} null if the text is anything else */
export function codeResult(text) {
  const [, exitCode, output] = FORM.exec(text) ?? [];
  return exitCode === undefined ? null : { exitCode: Number(exitCode), text: output.trimEnd() };
}

/** Says in a few words how it ended. */
export function codeOutcome({ exitCode }) {
  return exitCode === 0 ? t`The code ran` : t`The code failed with exit code ${exitCode}`;
}
