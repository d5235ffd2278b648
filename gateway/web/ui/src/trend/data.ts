// What the view shows: asked from the history, and continued by what comes each second while it ends now.
import { useEffect, useRef, useState } from "preact/hooks";
import type { TagPage, TrendLine, Trends } from "../api";
import { ask, connection, moved, newest, now, state, watch } from "../feed";
import { useValue } from "../observable";
import { keepsHistory } from "../spark";
import { bounds, inAddress, isLive, type Range } from "./range";
import { hear, trackOf, type Tail, type Track } from "./shape";

const SOONEST = 10_000;
const LATEST = 60_000;

export interface Found {
  answer: Trends | null;
  tracks: Track[];
  error: string;
  isOff: boolean;
  again(): void;
}

/** Ask for these tags over this stretch; an answer to an older question is never shown. */
export function useTrends(tags: string[], range: Range, points: number): Found {
  const [answer, show] = useState<Trends | null>(null);
  const [error, fail] = useState("");
  const [times, setTimes] = useState(0);
  const tails = useRef(new Map<number, Tail>());
  const said = useValue(state);
  const isKnown = said !== null;
  const keeps = keepsHistory();
  const wanted = tags.join("\n");
  const stretch = inAddress(range);

  useEffect(() => {
    if (!isKnown || !tags.length || !points) return;
    const stop = new AbortController();
    let timer = 0;
    const look = async (): Promise<void> => {
      const [from, to] = bounds(range, now());
      if (!document.hidden) {
        try {
          const found = keeps
            ? await ask<Trends>("trend", { tags, start: Math.floor(from), end: Math.ceil(to), points }, stop.signal)
            : await unkept(tags, from, to, stop.signal);
          if (stop.signal.aborted) return;
          show(found);
          fail("");
        } catch (reason) {
          if (stop.signal.aborted) return;
          fail((reason as Error).message);
        }
      }
      if (isLive(range)) timer = window.setTimeout(look, Math.min(LATEST, Math.max(SOONEST, (to - from) / 300)));
    };
    void look();
    const onSight = (): void => {
      if (document.hidden || !isLive(range)) return;
      window.clearTimeout(timer);
      void look();
    };
    document.addEventListener("visibilitychange", onSight);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", onSight);
    };
  }, [wanted, stretch, points, times, isKnown, keeps]);

  const lines = (answer?.lines ?? []).filter((line) => tags.includes(line.path));
  const numbers = lines.map((line) => line.number).join();
  useEffect(() => watch(numbers && isLive(range) ? numbers.split(",").map(Number) : [], false), [numbers, isLive(range)]);
  useEffect(() => moved.follow(() => {
    for (const number of moved.get()) {
      const row = newest.get().get(number);
      const grown = row && hear(tails.current.get(number), row);
      if (grown) tails.current.set(number, grown);
    }
  }), []);
  // A stream that is opened again may have missed something: its values begin a tail of their own.
  useEffect(() => connection.follow(() => tails.current.clear()), []);
  useValue(newest);

  const byPath = new Map(lines.map((line) => [line.path, line]));
  const tracks = tags.flatMap((path) => {
    const line = byPath.get(path);
    return line ? [trackOf(line, isLive(range) ? tails.current.get(line.number) : undefined)] : [];
  });
  return { answer, tracks, error, isOff: isKnown && !keeps, again: () => setTimes((before) => before + 1) };
}

/** Without a history a line begins when the view was opened: what each tag is, and no rows. */
async function unkept(tags: string[], start: number, end: number, signal: AbortSignal): Promise<Trends> {
  const lines: TrendLine[] = [];
  const unknown: string[] = [];
  for (const path of tags) {
    const page = await ask<TagPage>("tags", { q: path, limit: 20 }, signal);
    const row = page.rows.find((each) => each.path === path);
    const none = { width: 0, time: [], value: [], low: [], high: [], text: [], good: [], bad: [], quality: [] };
    const form = row?.kind === "text" ? "words" : row?.kind === "bool" ? "switch" : row?.counter ? "step" : "line";
    if (row) lines.push({ number: row.number, path, unit: row.unit, kind: row.kind, counter: row.counter, form, ...none });
    else unknown.push(path);
  }
  return { start, end, lines, unknown };
}
