/**
 * The words of the page in the reader's language. English sentences are the keys of the other languages' files.
 *
 * A file has an object: `{"Room for {1} more": "Noch Platz für {1}", "{n} lines": {"one": "{n} Zeile", "other": "{n} Zeilen"}}`,
 * with a form for each plural category that Intl.PluralRules knows in that language.
 */

let language = "en";
let sentences = {};
let plural = new Intl.PluralRules(language);
let number = new Intl.NumberFormat(language);

/** Uses the sentences of a language; those that it lacks stay English. */
export function useLanguage(name, its) {
  language = name;
  sentences = its;
  plural = new Intl.PluralRules(name);
  number = new Intl.NumberFormat(name);
}

/** The language in use, for Intl: `en`. */
export function currentLanguage() {
  return language;
}

/** Translates a sentence: t`Room for ${count} more`. The values are {1}, {2}, … in the files; numbers are formatted. */
export function t(strings, ...values) {
  const key = strings.reduce((text, part, place) => `${text}{${place}}${part}`);
  const sentence = typeof sentences[key] === "string" ? sentences[key] : key;
  return sentence.replace(/\{(\d+)\}/g, (match, place) => (place in [null, ...values] ? shown(values[place - 1]) : match));
}

/** Translates a sentence with a count: tn(lines, "{n} line", "{n} lines"). Its key is the second one. */
export function tn(count, one, other) {
  const forms = sentences[other] ?? { one, other };
  const rules = sentences[other] ? plural : ENGLISH;
  return (forms[rules.select(count)] ?? forms.other).replaceAll("{n}", number.format(count));
}

const ENGLISH = new Intl.PluralRules("en");

function shown(value) {
  return typeof value === "number" ? number.format(value) : String(value);
}
