// Numbers, ages and moments as people read them.
import type { TagRow } from "./api";
import { placed, significant } from "./digits";
import { now } from "./feed";
import { language, t } from "./words";
import { dayOf, inField, inZone } from "./zone";

const signed = (value: number, text: string): string => (value < 0 ? `−${text}` : text);

/** A number with at most so many significant digits, thousands grouped, a real minus sign. */
export function figure(value: number, digits = 7): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e12 || size < 1e-6)) return value.toExponential(digits - 3).replace("-", "−");
  const most = Math.max(digits, Math.trunc(size).toString().length);
  return signed(value, significant(size, most));
}

/** A number with as many decimals as those above and below it. */
export const aligned = (value: number, decimals: number): string =>
  signed(value, placed(Math.abs(value), decimals));

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

/** A day as its language writes it; never 04/05, which is two days. */
export function date(moment: number): string {
  return language.get() === "zh" ? dayOf(moment) : inZone("en-GB", { year: "numeric", month: "short", day: "2-digit" }).format(moment);
}

/** A moment in plant time, with the day where it isn't today. */
export function moment(value: number): string {
  return dayOf(value) === dayOf(now()) ? clock(value) : whole(value);
}

/** A moment with its day, also where it is today. */
export const whole = (value: number): string => `${date(value)} ${clock(value)}`;

/** From when until when, with the day where it is not today, and once where it is the same. */
export function between(from: number, to: number): string {
  if (dayOf(from) !== dayOf(to)) return `${whole(from)} – ${whole(to)}`;
  return `${moment(from)} – ${clock(to)}`;
}

export const clock = (value: number): string => inField(value).slice(11);

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
