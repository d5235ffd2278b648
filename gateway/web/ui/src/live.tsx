// Every tag: what it says, how old it is, whether to believe it. Rows are fetched and drawn only where one looks.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { TagPage, TagRow } from "./api";
import { ask, newest, state, watch } from "./feed";
import { age, figure, moment, shown } from "./format";
import { useValue } from "./observable";
import { Failed, Spark, Status, type Tone } from "./parts";
import { liveOf, route, settle, trendOf, whyOf } from "./route";
import { keepsHistory, past, recall, recallings } from "./spark";
import { t, word, type Key } from "./words";

const ROW = 32;
const PAGE = 100;
const PAGES_KEPT = 40;
const CHOICES = ["all", "bad", "uncertain", "good", "waiting"] as const;

export function toneOf(quality: number | null): Tone {
  if (quality === null) return "off";
  return quality >= 0x80000000 ? "bad" : quality >= 0x40000000 ? "look" : "calm";
}

/** The quality in words; a name the catalogue doesn't know keeps the specification's. */
export function qualityWord(row: Pick<TagRow, "quality" | "quality_name">): string {
  if (row.quality === null) return t("quality.none");
  return word("quality", row.quality_name);
}

export function Live() {
  const at = useValue(route);
  const words = at.query.get("q") ?? "";
  const which = at.query.get("which") ?? "all";
  const [typed, type] = useState(words);
  // What the address said last: an address that comes from here must not undo what is typed meanwhile.
  const said = useRef(words);
  useEffect(() => {
    if (words === said.current) return;
    said.current = words;
    type(words);
  }, [words]);
  useEffect(() => {
    if (typed === said.current) return;
    const timer = window.setTimeout(() => {
      said.current = typed;
      // The quality may have been chosen while the last letters settled.
      settle(liveOf(typed, route.get().query.get("which") ?? "all"));
    }, 200);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const found = useTags(words, which);
  return (
    <div class="live">
      <h1 class="hidden">{t("nav.live")}</h1>
      <div class="tools">
        <input
          type="search"
          value={typed}
          placeholder={t("live.search")}
          aria-label={t("live.search")}
          onInput={(event) => type(event.currentTarget.value)}
        />
        <div class="choices" role="group" aria-label={t("live.which")}>
          {CHOICES.map((each) => (
            <a key={each} href={liveOf(words, each)} aria-current={each === which ? "true" : undefined}>{t(`which.${each}` as Key)}</a>
          ))}
        </div>
        <span class="note" role="status">{found.total === null ? "" : t("live.count", { n: figure(found.total) })}</span>
      </div>
      {found.error ? <Failed reason={found.error} retry={found.again} /> : <Table found={found} words={words} which={which} />}
    </div>
  );
}

interface Found {
  total: number | null;
  error: string;
  /** Grows whenever everything is asked again. */
  times: number;
  row(index: number): TagRow | undefined;
  look(first: number, last: number): void;
  again(): void;
}

/** Pages of the list that were looked at, the oldest forgotten; all of them when the question changes. */
function useTags(words: string, which: string): Found {
  const pages = useRef(new Map<number, TagRow[]>());
  const asked = useRef(new Set<number>());
  const [total, setTotal] = useState<number | null>(null);
  const [error, setError] = useState("");
  const [times, setTimes] = useState(0);
  const [, drawn] = useState({});
  const stop = useRef(new AbortController());
  const said = useValue(state)?.strip;
  const known = said ? said.good + said.uncertain + said.bad + said.waiting : 0;

  const fetchPage = useCallback((page: number) => {
    if (asked.current.has(page)) return;
    asked.current.add(page);
    const question = stop.current;
    ask<TagPage>("tags", { q: words, which, offset: page * PAGE, limit: PAGE }, question.signal).then(
      (answer) => {
        if (question !== stop.current) return;
        pages.current.set(page, answer.rows);
        if (pages.current.size > PAGES_KEPT) {
          const oldest = pages.current.keys().next().value as number;
          pages.current.delete(oldest);
          asked.current.delete(oldest);
        }
        setTotal(answer.total);
        setError("");
        drawn({});
      },
      (reason: Error) => {
        if (question !== stop.current) return;
        asked.current.delete(page);
        if (reason.name !== "AbortError") setError(reason.message);
      },
    );
  }, [words, which]);

  const again = useCallback(() => {
    asked.current.clear();
    setError("");
    setTimes((before) => before + 1);
    fetchPage(0);
  }, [fetchPage]);

  useEffect(() => {
    stop.current.abort();
    stop.current = new AbortController();
    pages.current.clear();
    again();
    // Tags by quality come and go.
    const timer = which === "all" ? 0 : window.setInterval(() => document.hidden || again(), 5000);
    return () => window.clearInterval(timer);
  }, [words, which, known]);

  return {
    total,
    error,
    times,
    again,
    row: (index) => pages.current.get(Math.floor(index / PAGE))?.[index % PAGE],
    look: (first, last) => {
      for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(first, last) / PAGE); page += 1) fetchPage(page);
    },
  };
}

function Table({ found, words, which }: { found: Found; words: string; which: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [chosen, choose] = useState(0);
  useValue(newest);
  useValue(recallings);
  const total = found.total ?? 0;
  const first = Math.max(0, Math.floor(top / ROW) - 4);
  const last = Math.min(total - 1, Math.ceil((top + height) / ROW) + 4);
  const shownRows: [number, TagRow | undefined][] = [];
  for (let i = first; i <= last; i += 1) shownRows.push([i, found.row(i)]);
  useValue(state);
  const keeps = keepsHistory();
  const numbers = shownRows.flatMap(([, row]) => (row ? [row.number] : [])).join();

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() => setHeight(element.clientHeight));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    box.current?.scrollTo(0, 0);
    choose(0);
  }, [words, which]);
  useEffect(() => {
    if (total) found.look(first, last);
  }, [first, last, total, words, which, found.times]);
  useEffect(() => watch(numbers ? numbers.split(",").map(Number) : [], false), [numbers]);
  useEffect(() => {
    const stop = new AbortController();
    const seen = shownRows.flatMap(([, row]) => (row && row.kind !== "text" ? [row] : []));
    // Rows that only pass by are not asked for. Without an answer a trend begins now, as without a history.
    const timer = window.setTimeout(() => void recall(seen, stop.signal).catch(() => undefined), 250);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [numbers, keeps]);

  function move(event: KeyboardEvent): void {
    const screen = Math.max(1, Math.floor(height / ROW) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: screen, PageUp: -screen, Home: -total, End: total };
    const step = steps[event.key];
    if (event.key === "Enter") {
      const row = found.row(chosen);
      if (row) location.hash = whyOf(row.path);
      return;
    }
    if (step === undefined || !box.current) return;
    event.preventDefault();
    const next = Math.min(total - 1, Math.max(0, chosen + step));
    choose(next);
    const y = next * ROW;
    if (y < box.current.scrollTop) box.current.scrollTo(0, y);
    else if (y + ROW > box.current.scrollTop + height) box.current.scrollTo(0, y + ROW - height);
  }

  if (found.total === 0) return <p class="empty">{words || which !== "all" ? t("live.nothing") : t("live.empty")}</p>;
  return (
    <div class="table" role="table" aria-label={t("nav.live")} aria-rowcount={total + 1}>
      <div class="row head" role="row" aria-rowindex={1}>
        {(["device", "tag", "value", "unit", "quality", "age", "trend"] as const).map((each) => (
          <span key={each} role="columnheader" class={each}>{t(`live.${each}`)}</span>
        ))}
      </div>
      <div
        class="scroll"
        role="rowgroup"
        ref={box}
        tabIndex={0}
        aria-label={t("live.rows")}
        aria-activedescendant={`row-${chosen}`}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onKeyDown={move}
      >
        <div class="tall" style={{ height: `${total * ROW}px` }}>
          {shownRows.map(([index, row]) => <Row key={index} index={index} row={row} chosen={index === chosen} />)}
        </div>
      </div>
    </div>
  );
}

function Row({ index, row, chosen }: { index: number; row: TagRow | undefined; chosen: boolean }) {
  const style = { transform: `translateY(${index * ROW}px)` };
  if (!row) return <div class="row waiting" role="row" aria-rowindex={index + 2} style={style}><span role="cell" class="device">…</span></div>;
  const now = { ...row, ...newest.get().get(row.number) };
  const cut = row.path.lastIndexOf("/");
  const tone = toneOf(now.quality);
  return (
    <div class={`row ${chosen ? "chosen" : ""}`} id={`row-${index}`} role="row" aria-rowindex={index + 2} style={style}>
      <span role="cell" class="device" title={row.path}>{devicePath(row.path.slice(0, cut))}</span>
      <span role="cell" class="tag"><a href={whyOf(row.path)} tabIndex={-1}>{row.path.slice(cut + 1)}</a></span>
      <span role="cell" class={`value ${typeof now.value === "string" ? "text" : ""}`} title={now.value === null ? undefined : String(now.value)}>{shown(now.value)}</span>
      <span role="cell" class="unit">{row.unit}</span>
      <span role="cell" class="quality"><Status tone={tone}>{qualityWord(now)}</Status></span>
      <span role="cell" class="age" title={now.time === null ? undefined : t("live.times", { time: moment(now.time), read: now.arrived === null ? "—" : moment(now.arrived) })}>{age(now.arrived)}</span>
      <span role="cell" class="trend"><a href={trendOf([row.path])} tabIndex={-1} aria-label={t("live.open", { tag: row.path })}><Spark points={past(row.number)} /></a></span>
    </div>
  );
}

/** The site is on top of the page and levels that are left out say nothing. */
export function devicePath(path: string): string {
  return path.split("/").slice(1).filter((level) => level !== "-").join(" / ");
}
