// The rows one looks at, of a list as long as it may be; the head stays on top of what scrolls.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TagRow } from "../api";
import { newest, state, watch } from "../feed";
import { age, moment, shown } from "../format";
import { usePart, useValue } from "../observable";
import { Line, Status } from "../parts";
import { devicePath, qualityWord, toneOf } from "../quality";
import { trendOf, whyOf } from "../route";
import { drawnPast, keepsHistory, recall, recallings } from "../spark";
import { language, t, unitWord } from "../words";
import { lists, listOf, starred } from "./lists";
import type { Found } from "./pages";

/** Pixels; the head is as high as a row. */
const ROW = 32;
const BEYOND = 4;
const COLUMNS = ["star", "device", "tag", "value", "unit", "quality", "age", "trend"] as const;

interface Given {
  total: number;
  found: Found;
  /** Another one begins at the top. */
  question: string;
  star(path: string): void;
}

export function Table({ total, found, question, star }: Given) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [chosen, choose] = useState(0);
  // Values, pasts and, where nothing came, ages.
  useValue(newest);
  useValue(recallings);
  useValue(state);
  useValue(lists);
  const into = starred();
  const stars = new Set(listOf(into)?.tags);
  const keeps = usePart(state, keepsHistory);
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND);
  const last = Math.min(total - 1, Math.ceil((top + height) / ROW) + 1 + BEYOND);
  const rows: [number, TagRow | undefined][] = [];
  for (let i = first; i <= last; i += 1) rows.push([i, found.row(i)]);
  // As many rows as are ever seen at once, each used again for another tag: to make and forget them costs more.
  const slots = Math.ceil(height / ROW) + 2 * BEYOND + 4;
  const numbers = rows.flatMap(([, row]) => (row ? [row.number] : [])).join();

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() => setHeight(element.clientHeight - ROW));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    box.current?.scrollTo(0, 0);
    choose(0);
  }, [question]);
  useEffect(() => found.look(first, last), [first, last, found.look]);
  useEffect(() => watch(numbers ? numbers.split(",").map(Number) : [], false), [numbers]);
  useEffect(() => {
    const stop = new AbortController();
    const seen = rows.flatMap(([, row]) => (row && row.kind !== "text" ? [row] : []));
    // Rows that only pass by are not asked for. Without an answer a trend begins now, as without a history.
    const timer = window.setTimeout(() => void recall(seen, stop.signal).catch(() => undefined), 250);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [numbers, keeps]);

  function move(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = found.row(chosen);
    if (event.key === "Enter" && row) location.hash = whyOf(row.path);
    if (event.key.toLowerCase() === "t" && row) location.hash = trendOf([row.path]);
    if (event.key === " " && row) {
      event.preventDefault();
      star(row.path);
    }
    const screen = Math.max(1, Math.floor(height / ROW) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: screen, PageUp: -screen, Home: -total, End: total };
    const step = steps[event.key];
    if (step === undefined || !box.current) return;
    event.preventDefault();
    const next = Math.min(total - 1, Math.max(0, chosen + step));
    choose(next);
    const y = next * ROW;
    if (y < box.current.scrollTop) box.current.scrollTo(0, y);
    else if (y + ROW > box.current.scrollTop + height) box.current.scrollTo(0, y + ROW - height);
  }

  return (
    <div class="table">
      <div
        class="scroll"
        role="grid"
        ref={box}
        tabIndex={0}
        aria-label={t("live.rows")}
        aria-rowcount={total + 1}
        aria-activedescendant={`row-${chosen}`}
        onScroll={(event) => setTop(ROW * Math.floor(event.currentTarget.scrollTop / ROW))}
        onKeyDown={move}
      >
        <div class="head" role="row" aria-rowindex={1}>
          {COLUMNS.map((each) => <span key={each} role="columnheader" class={each}>{each === "star" ? <span class="hidden">{t("watch.lists")}</span> : t(`live.${each}`)}</span>)}
        </div>
        <div class="tall" role="rowgroup" style={{ height: `${total * ROW}px` }}>
          {rows.map(([index, row]) => <Row key={index % slots} index={index} row={row} chosen={index === chosen} into={into} isStarred={row !== undefined && stars.has(row.path)} star={star} />)}
        </div>
      </div>
    </div>
  );
}

/** Drawn anew only where it says something else than before: thirty rows are looked at every second and while one scrolls. */
function Row({ index, row, chosen, into, isStarred, star }: { index: number; row: TagRow | undefined; chosen: boolean; into: string; isStarred: boolean; star: (path: string) => void }) {
  const now = row && (newest.get().get(row.number) ?? row);
  const old = now ? age(now.arrived) : "";
  const line = row ? drawnPast(row.number) : "";
  return useMemo(() => {
    const cut = row?.path.lastIndexOf("/") ?? 0;
    return (
      <div
        class={`row ${chosen ? "chosen" : ""} ${row ? "" : "waiting"}`}
        id={`row-${index}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={chosen}
        style={{ transform: `translateY(${index * ROW}px)` }}
      >
        <span role="gridcell" class="star">
          {row && <button type="button" tabIndex={-1} aria-pressed={isStarred} aria-label={t(isStarred ? "watch.unstar" : "watch.star", { tag: row.path, list: into })} onClick={() => star(row.path)}>{isStarred ? "★" : "☆"}</button>}
        </span>
        <span role="gridcell" class="device" title={row?.path}>{row ? devicePath(row.path.slice(0, cut)) : "…"}</span>
        <span role="gridcell" class="tag"><a href={row && whyOf(row.path)} tabIndex={-1}>{row?.path.slice(cut + 1)}</a></span>
        <span role="gridcell" class={typeof now?.value === "string" ? "value text" : "value"} title={now && now.value !== null ? String(now.value) : undefined}>{now && shown(now.value)}</span>
        <span role="gridcell" class="unit">{row && unitWord(row.unit)}</span>
        <span role="gridcell" class="quality">{now && <Status tone={toneOf(now.quality)}>{qualityWord(now)}</Status>}</span>
        <span role="gridcell" class="age" title={now && now.time !== null ? times(now.time, now.arrived) : undefined}>{old}</span>
        <span role="gridcell" class="trend"><a href={row && trendOf([row.path])} tabIndex={-1} aria-label={row && t("live.open", { tag: row.path })}><Line path={line} /></a></span>
      </div>
    );
  }, [index, row, now, old, line, chosen, into, isStarred, language.get()]);
}

const times = (time: number, arrived: number | null): string => t("live.times", { time: moment(time), read: arrived === null ? "—" : moment(arrived) });
