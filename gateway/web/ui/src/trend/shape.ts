// From the interface's columns and the newest values to what is drawn. A line ends where nothing is known.
import type { TrendLine } from "../api";
import type { Newest } from "../feed";

const UNCERTAIN = 0x40000000;
const BAD = 0x80000000;
const MOST_TAIL = 3600;

/** What came over the stream since it was opened, one tag's. */
export interface Tail {
  time: number[];
  value: Newest["value"][];
  quality: number[];
  /** Until when the last value is known to hold. */
  until: number;
}

/** Columns by time, ms. */
export interface Track {
  line: TrendLine;
  x: number[];
  y: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  text: (string | null)[];
  quality: number[];
  /** No line leads here from the row before. */
  cut: boolean[];
  /** Where the row's stretch ends; its own time for a single row. */
  end: number[];
  /** Usable readings behind the row. */
  weight: number[];
  /** Until when the last row is known to hold. */
  until: number;
}

export const isNumeric = (line: TrendLine): boolean => line.form === "line" || line.form === "step";
export const isWhole = (quality: number): boolean => quality < UNCERTAIN;

export function trackOf(line: TrendLine, tail?: Tail): Track {
  const track: Track = { line, x: [], y: [], low: [], high: [], text: [], quality: [], cut: [], end: [], weight: [], until: 0 };
  const { width } = line;
  const middle = line.form === "line" ? width / 2 : 0;
  line.time.forEach((time, i) => {
    const isBroken = Boolean(line.bad[i]) || Boolean(i && line.bad[i - 1]);
    add(track, time + middle, line.value[i] ?? null, line.text[i] ?? null, line.quality[i] ?? 0, isBroken, time + width, line.good[i] ?? 0);
    if (width) {
      track.low[i] = line.low[i] ?? null;
      track.high[i] = line.high[i] ?? null;
    }
  });
  track.until = track.end.at(-1) ?? 0;
  if (tail?.time.length) append(track, tail);
  return track;
}

function add(track: Track, x: number, y: number | null, text: string | null, quality: number, cut: boolean, end: number, weight: number): void {
  const before = track.x.at(-1) ?? -Infinity;
  // Rows of one millisecond keep their order.
  track.x.push(x > before ? x : before + 0.001);
  track.y.push(y);
  track.low.push(y);
  track.high.push(y);
  track.text.push(text);
  track.quality.push(quality);
  track.cut.push(cut || (y === null && text === null));
  track.end.push(end);
  track.weight.push(weight);
}

function append(track: Track, tail: Tail): void {
  const known = track.until;
  const isText = track.line.form === "words";
  // Between what is booked and what was heard first something may have come: no line is drawn across that.
  let isJoined = (tail.time[0] as number) <= known;
  tail.time.forEach((time, i) => {
    if (time <= known) return;
    const value = tail.value[i];
    const number = typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : value === null || isText ? null : Number(value);
    const isKnown = isText ? typeof value === "string" : number !== null;
    const wasKnown = track.y.at(-1) !== null || track.text.at(-1) !== null;
    add(track, time, number, isText && typeof value === "string" ? value : null, tail.quality[i] as number, !isJoined || !isKnown || !wasKnown, time, 1);
    isJoined = true;
  });
  const last = track.x.length - 1;
  const isUsable = last >= 0 && (track.y[last] !== null || track.text[last] !== null) && (tail.quality.at(-1) as number) < BAD;
  // The newest row still holds, if it is the one that was heard last.
  if (isUsable && (tail.time.at(-1) as number) <= (track.end[last] as number) + track.line.width) track.until = Math.max(track.until, tail.until, track.end[last] as number);
  else track.until = Math.max(track.until, track.end[last] ?? 0);
}

/** Take in the newest row, if it is new; returns the tail that grew. */
export function hear(tail: Tail | undefined, now: Newest): Tail | undefined {
  if (now.time === null || now.quality === null) return tail;
  const grown = tail ?? { time: [], value: [], quality: [], until: 0 };
  if (now.time > (grown.time.at(-1) ?? -Infinity)) {
    grown.time.push(now.time);
    grown.value.push(now.quality >= BAD ? null : now.value);
    grown.quality.push(now.quality);
    if (grown.time.length > MOST_TAIL) for (const column of [grown.time, grown.value, grown.quality]) column.splice(0, MOST_TAIL / 4);
  }
  grown.until = Math.max(grown.until, now.quality >= BAD ? 0 : now.time, now.quality >= BAD ? 0 : (now.arrived ?? 0));
  return grown;
}

/** The row that tells of a moment; -1 where none does. */
export function rowAt(track: Track, time: number): number {
  const begins = (i: number): number => (track.x[i] as number) - (i < track.line.time.length && track.line.form === "line" ? track.line.width / 2 : 0);
  let low = 0;
  let high = track.x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (begins(middle) <= time) low = middle + 1;
    else high = middle;
  }
  const i = low - 1;
  const isLast = i === track.x.length - 1;
  if (i < 0 || (isLast && time > Math.max(track.until, track.end[i] as number) + 1000)) return -1;
  // Behind a bucket with a break in it nothing is known until the next.
  const isBroken = i < track.line.bad.length && Boolean(track.line.bad[i]) && time > (track.end[i] as number);
  return isBroken ? -1 : i;
}

export interface Span {
  least: number;
  greatest: number;
  /** Every reading counting the same; null for what only holds. */
  mean: number | null;
}

/** What a stretch held; null where no reading was usable. */
export function spanOf(track: Track, from: number, to: number): Span | null {
  let least = Infinity;
  let greatest = -Infinity;
  let sum = 0;
  let weight = 0;
  const holds = track.line.form !== "line";
  for (let i = 0; i < track.x.length; i += 1) {
    const y = track.y[i] ?? null;
    const ends = holds ? (track.x[i + 1] ?? track.until) : (track.end[i] as number);
    if (y === null || ends < from || (track.x[i] as number) > to) continue;
    least = Math.min(least, track.low[i] ?? y);
    greatest = Math.max(greatest, track.high[i] ?? y);
    sum += y * (track.weight[i] as number);
    weight += track.weight[i] as number;
  }
  if (least > greatest) return null;
  return { least, greatest, mean: track.line.counter || track.line.kind === "bool" || holds || !weight ? null : sum / weight };
}
