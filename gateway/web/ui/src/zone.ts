// Plant time: moments as the clocks there show them.
import { state } from "./feed";

const MINUTE = 60_000;
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

/** 2026-12-01T08:30:00, as the browser's own date fields take it. */
export function inField(moment: number): string {
  const held = state.get()?.strip.offset;
  // An addition while one offset holds: the first format of a page takes a slow machine 0.1 s, and a chart asks for thousands.
  if (held && moment >= held.since && moment < held.until) return new Date(moment + held.ms).toISOString().slice(0, 19);
  const format = inZone("en-CA", {
    hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const { year, month, day, hour, minute, second } = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
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

/** 2026-12-01. */
export const dayOf = (moment: number): string => inField(moment).slice(0, 10);

/** 0 is Sunday. */
export const weekdayOf = (moment: number): number => new Date(`${dayOf(moment)}T00:00:00Z`).getUTCDay();

/** Plant time minus UTC at a moment, ms. */
function offset(moment: number): number {
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
