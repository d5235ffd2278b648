// Which stretch of time is looked at: so long until now, or from one moment to another; kept in the address.
import { inField } from "../zone";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
export const PERIODS = { "15m": 15 * MINUTE, "1h": HOUR, "8h": 8 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY } as const;
export type Period = keyof typeof PERIODS;
export const LONGEST = 400 * DAY;
export const SHORTEST = 2_000;

export type Range = { period: Period } | { from: number; to: number };

export const isLive = (range: Range): range is { period: Period } => "period" in range;

export function rangeOf(query: URLSearchParams): Range {
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  if (from > 0 && to > from) return { from, to };
  const period = query.get("span") ?? "";
  return { period: period in PERIODS ? (period as Period) : "1h" };
}

export const inAddress = (range: Range): string =>
  isLive(range) ? `span=${range.period}` : `from=${Math.round(range.from)}&to=${Math.round(range.to)}`;

export function bounds(range: Range, now: number): [number, number] {
  return isLive(range) ? [now - PERIODS[range.period], now] : [range.from, range.to];
}

/** So long and no longer, not into the future, around where it was. */
export function clamped(from: number, to: number, now: number): Range {
  const long = Math.min(LONGEST, Math.max(SHORTEST, to - from));
  const middle = (from + to) / 2;
  const end = Math.min(now, middle + long / 2);
  return { from: Math.round(end - long), to: Math.round(end) };
}

/** What an axis writes at its ticks: as much as tells them apart, the day where it changes. */
export function ticks(splits: number[], step: number): string[] {
  let day = "";
  return splits.map((split) => {
    const field = inField(split);
    const today = field.slice(5, 10);
    const clock = field.slice(11, step < MINUTE ? 19 : 16);
    const text = step >= DAY ? today : today === day || (day === "" && clock !== "00:00" && step < HOUR) ? clock : `${today} ${clock}`;
    day = today;
    return text;
  });
}
