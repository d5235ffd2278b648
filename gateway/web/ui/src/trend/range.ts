// Which stretch of time is looked at: so long until now, or from one moment to another; kept in the address.
import { inZone } from "../format";

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

/** Year, month, day, hour, minute, second of a moment in plant time. */
export function parts(moment: number): Record<string, string> {
  const format = inZone("en-CA", {
    hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  return Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
}

/** As the browser's own date fields take it, in plant time. */
export function inField(moment: number): string {
  const { year, month, day, hour, minute, second } = parts(moment);
  return `${year}-${month}-${day}T${hour}:${minute}:${second}`;
}

/** The moment of a date field's plant time; of an hour that comes twice the first. NaN for no date. */
export function fromField(text: string): number {
  const asked = Date.parse(`${text}Z`);
  if (Number.isNaN(asked)) return asked;
  let found = asked;
  for (let i = 0; i < 2; i += 1) found = asked - offset(found);
  return found;
}

/** Plant time minus UTC at a moment, ms. */
export function offset(moment: number): number {
  return Date.parse(`${inField(moment)}Z`) - Math.floor(moment / 1000) * 1000;
}

/** ISO 8601 in plant time, with its distance from UTC. */
export function iso(moment: number): string {
  const away = Math.round(offset(moment) / MINUTE);
  const [hours, minutes] = [Math.floor(Math.abs(away) / 60), Math.abs(away) % 60];
  const two = (number: number): string => String(number).padStart(2, "0");
  const ms = String(((Math.floor(moment) % 1000) + 1000) % 1000).padStart(3, "0");
  return `${inField(moment)}.${ms}${away < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
}

/** What an axis writes at its ticks: as much as tells them apart, the day where it changes. */
export function ticks(splits: number[], step: number): string[] {
  let day = "";
  return splits.map((split) => {
    const { month, day: date, hour, minute, second } = parts(split);
    const today = `${month}-${date}`;
    const clock = step < MINUTE ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
    const text = step >= DAY ? today : today === day || (day === "" && clock !== "00:00" && step < HOUR) ? clock : `${today} ${clock}`;
    day = today;
    return text;
  });
}
