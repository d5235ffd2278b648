// Numbers, ages and moments as people read them.
import type { TagRow } from "./api";
import { now, state } from "./feed";
import { language, t } from "./words";

const locale = () => (language.get() === "zh" ? "zh-CN" : "en-GB");
const minus = (text: string) => text.replace("-", "−");

const numbers = new Map<string, Intl.NumberFormat>();

/** Like formats of time, and a table has hundreds of numbers. */
function numbered(how: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  let made = numbers.get(how);
  if (!made) {
    made = new Intl.NumberFormat("en-US", options);
    numbers.set(how, made);
  }
  return made;
}

/** A number with at most so many significant digits, thousands grouped, a real minus sign. */
export function figure(value: number, digits = 7): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e12 || size < 1e-6)) return minus(value.toExponential(digits - 3));
  const most = Math.max(digits, Math.trunc(size).toString().length);
  return minus(numbered(`${most} digits`, { maximumSignificantDigits: most }).format(value));
}

/** A number with as many decimals as those above and below it. */
export const aligned = (value: number, decimals: number): string =>
  minus(numbered(`${decimals} decimals`, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value));

/** A tag's value for the table; empty words stand for what is not known. */
export function shown(value: TagRow["value"]): string {
  if (value === null) return "—";
  if (typeof value === "boolean") return t(value ? "value.true" : "value.false");
  return typeof value === "number" ? figure(value) : value;
}

/** Seconds, then minutes, hours, then a date. */
export function age(moment: number | null): string {
  if (moment === null) return "—";
  const seconds = Math.max(0, (now() - moment) / 1000);
  if (seconds < 120) return t("age.s", { n: Math.floor(seconds) });
  if (seconds < 7200) return t("age.min", { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return t("age.h", { n: Math.floor(seconds / 3600) });
  return date(moment);
}

/** How long ago; a date by itself. */
export function ago(moment: number): string {
  return now() - moment < 86_400_000 ? t("why.ago", { age: age(moment) }) : date(moment);
}

const zone = () => state.get()?.strip.zone;

const formats = new Map<string, Intl.DateTimeFormat>();

/** A format in plant time; making one costs a hundred times what using it does. */
export function inZone(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${zone()} ${Object.entries(options).join(" ")}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(language, { timeZone: zone(), ...options });
    formats.set(key, made);
  }
  return made;
}

/** A day as its language writes it; never 04/05, which is two days. */
export function date(moment: number): string {
  return inZone(locale(), { year: "numeric", month: language.get() === "zh" ? "2-digit" : "short", day: "2-digit" }).format(moment).replaceAll("/", "-");
}

/** A moment in plant time, with the day where it isn't today. */
export function moment(value: number): string {
  return date(value) === date(now()) ? clock(value) : whole(value);
}

/** A moment with its day, also where it is today. */
export const whole = (value: number): string => `${date(value)} ${clock(value)}`;

/** From when until when, with the day where it is not today, and once where it is the same. */
export function between(from: number, to: number): string {
  if (date(from) !== date(to)) return `${whole(from)} – ${whole(to)}`;
  return `${moment(from)} – ${clock(to)}`;
}

/** Make the first number and the first time, which take a slow machine 0.1 s: while the answers are on their way, not behind them. */
export function ready(): void {
  figure(0);
  clock(0);
}

export function clock(value: number): string {
  return inZone("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(value);
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (value >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${figure(value, 3)} ${units[step]}`;
}

/** A length of time in seconds, in the largest unit that says it plainly. */
export function seconds(value: number): string {
  if (value < 120) return t("long.s", { n: figure(value, 3) });
  if (value < 7200) return t("long.min", { n: Math.round(value / 60) });
  return value < 172800 ? t("long.h", { n: Math.round(value / 3600) }) : t("long.d", { n: Math.round(value / 86400) });
}
