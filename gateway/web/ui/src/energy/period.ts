// Which period is looked at, in the plant's own days; kept in the address.
import { date } from "../format";
import { dayOf, fromField, inField, weekdayOf } from "../zone";

export const SPANS = ["today", "yesterday", "week", "month", "billing"] as const;
export type Span = (typeof SPANS)[number];
export const EVERY = ["15min", "60min", "day", "shift", "week", "month"] as const;
export type Every = (typeof EVERY)[number];
export type Period = { span: Span } | { from: number; to: number };

const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
const LONG: Record<Every, number> = { "15min": HOUR / 4, "60min": HOUR, shift: 8 * HOUR, day: DAY, week: 7 * DAY, month: 28 * DAY };
const MOST = 800;

/** A local midnight so many days (and months) after the one a moment lies behind. */
function midnight(moment: number, days = 0, months = 0, day?: number): number {
  const [year = 0, month = 1, date = 1] = dayOf(moment).split("-").map(Number);
  return fromField(`${new Date(Date.UTC(year, month - 1 + months, (day ?? date) + days)).toISOString().slice(0, 10)}T00:00:00`);
}

export function boundsOf(period: Period, now: number, billingDay: number): [number, number] {
  if (!("span" in period)) return [period.from, period.to];
  if (period.span === "today") return [midnight(now), midnight(now, 1)];
  if (period.span === "yesterday") return [midnight(now, -1), midnight(now)];
  if (period.span === "month") return [midnight(now, 0, 0, 1), midnight(now, 0, 1, 1)];
  if (period.span === "billing") {
    const begun = Number(inField(now).slice(8, 10)) >= billingDay ? 0 : -1;
    return [midnight(now, 0, begun, billingDay), midnight(now, 0, begun + 1, billingDay)];
  }
  const weekday = (weekdayOf(now) + 6) % 7;
  return [midnight(now, -weekday), midnight(now, 7 - weekday)];
}

/** The period before it, of the same kind. */
export function before(period: Period, [from, to]: [number, number], billingDay: number): [number, number] {
  if ("span" in period && (period.span === "month" || period.span === "billing")) return [midnight(from, 0, -1, period.span === "month" ? 1 : billingDay), from];
  const days = Math.max(1, Math.round((to - from) / DAY));
  return [midnight(from, -days), midnight(to, -days)];
}

/** Whole days of a free choice. */
export const wholeDays = (from: number, to: number): Period => ({ from: midnight(from), to: Math.max(midnight(from, 1), midnight(to - 1, 1)) });

export function periodOf(query: URLSearchParams): Period {
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  if (from > 0 && to > from) return { from, to };
  const span = query.get("span") as Span;
  return { span: SPANS.includes(span) ? span : "today" };
}

export const periodInAddress = (period: Period): Record<string, string> =>
  "span" in period ? { span: period.span } : { from: String(period.from), to: String(period.to) };

/** Intervals that cut a period into something one can look at; the first is the one to begin with. */
export function everyOf([from, to]: [number, number], isPower: boolean, hasShifts: boolean): Every[] {
  const fits = EVERY.filter((each) => (each !== "shift" || hasShifts) && (to - from) / LONG[each] <= MOST && to - from >= LONG[each]);
  const best: Every = to - from <= 2 * DAY ? (isPower ? "15min" : "60min") : isPower && to - from <= 8 * DAY ? "15min" : isPower && to - from <= 32 * DAY ? "60min" : "day";
  return fits.includes(best) ? [best, ...fits.filter((each) => each !== best)] : fits;
}

/** Where a report of these days is ordered. */
export function reportOf(from: number, to: number): string {
  const [first, last] = [dayOf(from), dayOf(to - 1)];
  return `#/reports?from=${first}&to=${last}`;
}

export const spoken = (from: number, to: number): string => (date(from) === date(to - 1) ? date(from) : `${date(from)} – ${date(to - 1)}`);
