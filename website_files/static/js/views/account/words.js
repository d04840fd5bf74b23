/** Words about accounts: browsers, roles, what is left of the day, languages. */

import { currentLanguage, t, tn } from "../../core/words.js";

const BROWSERS = [ // in this order, because most also name others
  ["Edg", "Edge"], ["OPR", "Opera"], ["Firefox", "Firefox"], ["FxiOS", "Firefox"], ["CriOS", "Chrome"], ["Chrome", "Chrome"],
  ["Safari", "Safari"],
];
const SYSTEMS = [
  ["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "Mac"], ["CrOS", "ChromeOS"],
  ["Linux", "Linux"],
];
const LANGUAGES = "ar cs da de el en es fi fr he hi hu id it ja ko nb nl pl pt pt-BR ro ru sv th tr uk vi zh".split(" ");

/** Name of a browser by its `User-Agent`: `Firefox on Windows`. */
export function browserName(agent) {
  const [browser, system] = [BROWSERS, SYSTEMS].map((names) => names.find(([mark]) => agent.includes(mark))?.[1]);
  if (browser && system) return t`${browser} on ${system}`;
  return browser || agent.split(/[/\s]/, 1)[0].slice(0, 40) || t`A browser`;
}

/** `Admin, operator`; empty for somebody without roles. */
export function roleWords(roles) {
  const words = roles.map((role) => ({ admin: t`Admin`, operator: t`Operator` })[role] ?? role).join(", ");
  return words && words[0] + words.slice(1).toLocaleLowerCase();
}

/** What is left of the limits of a day, such as `12 turns`. Empty without limits. */
export function leftToday({ limit, left }) {
  const amounts = [
    limit.turns !== null && tn(left.turns, "{n} turn", "{n} turns"),
    limit.tokens !== null && tn(left.tokens, "{n} token", "{n} tokens"),
    limit.cost !== null && `$${left.cost.toFixed(2)}`,
  ];
  return amounts.filter(Boolean).join(", ");
}

/** Codes of languages with their names, sorted by name; `own` is one of them. */
export function languages(own, locale = currentLanguage()) {
  const names = new Intl.DisplayNames(locale, { type: "language", fallback: "code" });
  const codes = [...new Set([...LANGUAGES, own].filter(Boolean))];
  return codes.map((code) => [code, names.of(code)]).sort(([, a], [, b]) => a.localeCompare(b, locale));
}
