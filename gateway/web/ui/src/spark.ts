// The last quarter of an hour of the tags one looks at: begun from the history, then from what comes each second.
import type { TrendLine, Trends } from "./api";
import { ask, connection, moved, newest, now, state } from "./feed";
import { observable } from "./observable";
import { pathOf } from "./parts";

const LONG = 15 * 60_000;
const SLOT = 5_000;
const SLOTS = LONG / SLOT;
/** As many tags as the interface answers at once. */
const MOST = 20;
/** What was looked at lately is kept. */
const KEPT = 2000;

type Past = Map<number, number | null>;
const pasts = new Map<number, Past>();
/** Tags whose past needs no asking, until the stream is opened anew. */
let recalled = new Set<number>();
export const recallings = observable(0);

interface Drawn {
  slot: number;
  known: number;
  path: string;
}
const drawn = new Map<number, Drawn>();

/** What `past` says as a line: drawn anew once a slot, each tag in a second of its own, and when more is known of before. */
export function drawnPast(number: number): string {
  const slot = Math.floor((now() + (number % 5) * 1000) / SLOT);
  const known = pasts.get(number)?.size ?? 0;
  const last = drawn.get(number);
  if (last && last.slot === slot && (last.known === known || last.path)) return last.path;
  const path = pathOf(past(number));
  drawn.set(number, { slot, known, path });
  return path;
}

/** One value per slot, the oldest first: null is a gap, undefined a moment nothing was told of. */
export function past(number: number): (number | null | undefined)[] {
  const known = pasts.get(number);
  if (!known) return [];
  const first = Math.floor(now() / SLOT) - SLOTS + 1;
  return Array.from({ length: SLOTS }, (_, i) => known.get(first + i));
}

function pastOf(number: number): Past {
  let known = pasts.get(number);
  if (!known) {
    known = new Map();
    pasts.set(number, known);
    if (pasts.size > KEPT) forget(pasts.keys().next().value as number);
  }
  return known;
}

function forget(number: number): void {
  pasts.delete(number);
  drawn.delete(number);
  recalled.delete(number);
}

moved.follow(() => {
  const slot = Math.floor(now() / SLOT);
  for (const number of moved.get()) {
    const value = newest.get().get(number)?.value;
    const known = pastOf(number);
    const point = typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : null;
    // A gap that ends within its slot is still shown.
    known.set(slot, known.get(slot) === null ? null : point);
    if (known.size > 2 * SLOTS) for (const each of known.keys()) if (each <= slot - SLOTS) known.delete(each);
  }
});

// While the stream was closed values may have come: they are asked for again.
connection.follow(() => {
  if (connection.get() === "lost") recalled = new Set();
});
document.addEventListener("visibilitychange", () => (recalled = new Set()));

/** Whether there is a history to ask. */
export const keepsHistory = (): boolean => state.get()?.links.some((link) => link.role === "history") ?? false;

/** Fetch what the history knows of these, where there is one; those that are known already cost nothing. */
export async function recall(tags: { number: number; path: string }[], signal: AbortSignal): Promise<void> {
  if (!keepsHistory()) return;
  const wanted = tags.filter(({ number }) => !recalled.has(number));
  const end = now();
  for (let i = 0; i < wanted.length; i += MOST) {
    const some = wanted.slice(i, i + MOST);
    const answer = await ask<Trends>("trend", { tags: some.map(({ path }) => path), start: end - LONG, end, points: LONG / (2 * SLOT) }, signal);
    answer.lines.forEach(remember);
    for (const { number } of some) recalled.add(number);
  }
  if (wanted.length) recallings.set(recallings.get() + 1);
}

function remember(line: TrendLine): void {
  const known = pastOf(line.number);
  drawn.delete(line.number);
  line.value.forEach((value, i) => {
    const slot = Math.floor((line.time[i] as number) / SLOT);
    if (!known.has(slot)) known.set(slot, line.bad[i] ? null : value);
    else if (line.bad[i]) known.set(slot, null);
  });
}
