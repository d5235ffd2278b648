// Chinese is written first; both catalogues have the same keys (a test sees to it).
import { observable } from "./observable";
import en from "./words/en.json?raw";
import zh from "./words/zh.json?raw";

export type Language = "zh" | "en";
export type Key = keyof typeof import("./words/zh.json");
type Catalogue = Record<string, string>;
const catalogues: Record<Language, string | Catalogue> = { zh, en };

/** Read from its text when it is first spoken: a thousand phrases as code take a slow machine 30 ms, and one language is enough. */
function catalogue(): Catalogue {
  const spoken = language.get();
  const found = catalogues[spoken];
  return typeof found === "string" ? (catalogues[spoken] = JSON.parse(found) as Catalogue) : found;
}

const kept = localStorage.getItem("language");
const own: Language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
export const language = observable<Language>(kept === "zh" || kept === "en" ? kept : own);

export function speak(chosen: Language): void {
  localStorage.setItem("language", chosen);
  language.set(chosen);
}

/** A blank, or of a number the word for one and the word for many: {n} {n:row|rows}. */
const BLANK = /\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g;

/** The phrase in the chosen language, its {blanks} filled. */
export function t(key: Key, blanks: Record<string, string | number> = {}): string {
  const text = catalogue()[key] ?? key;
  return text.replace(BLANK, (whole, name: string, one?: string, many?: string) => (many === undefined ? String(blanks[name] ?? whole) : String(blanks[name]) === "1" ? (one ?? "") : many));
}

/** The phrase for a name that came from the gateway; the name itself where there is none. */
export function word(prefix: string, name: string): string {
  return catalogue()[`${prefix}.${name}`] ?? name;
}

/** A unit as it is written here: mostly as the gateway has it. */
export const unitWord = (unit: string): string => word("unit", unit);

/** Why something is not well: a quality's name, or a sentence the gateway has in both languages. */
export function reason(said: string, chinese: string): string {
  const known = word("quality", said);
  return known === said && language.get() === "zh" ? chinese : known;
}
