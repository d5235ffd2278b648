// What did these tags do, beside each other, over which time?
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { now, state, watch } from "../feed";
import { Finder } from "../finder";
import { between, figure, moment } from "../format";
import { useValue } from "../observable";
import { usePaint } from "../paint";
import { Failed, Loading } from "../parts";
import { route, settle, trendOf } from "../route";
import { type Key, language, t, unitWord } from "../words";
import { BAND, Bands, wordOf } from "./bands";
import { AXIS, Chart, type Drawn } from "./chart";
import { useTrends } from "./data";
import { bounds, clamped, inAddress, isLive, LONGEST, PERIODS, rangeOf, type Period, type Range } from "./range";
import { csv, download, nameOf, picture } from "./save";
import { isNumeric, rowAt } from "./shape";
import { Stretch } from "./stretch";
import { Legend, Values } from "./table";

const MOST = 8;
const LEAST_HEIGHT = 140;

export default function TrendView() {
  const isKnown = useValue(state) !== null;
  useEffect(() => watch([], false), []);
  const at = useValue(route);
  const tags = at.tags.slice(0, MOST);
  const asked = rangeOf(at.query);
  const [range, look] = useState<Range>(asked);
  const written = useRef(inAddress(asked));
  const address = inAddress(asked);
  // An address that comes from the wheel must not undo what the wheel did meanwhile.
  useEffect(() => {
    if (address === written.current) return;
    written.current = address;
    look(asked);
  }, [address]);
  const stretch = inAddress(range);
  useEffect(() => {
    if (stretch === written.current) return;
    const timer = window.setTimeout(() => {
      written.current = stretch;
      settle(trendOf(route.get().tags, stretch));
    }, 250);
    return () => window.clearTimeout(timer);
  }, [stretch]);
  const period = useRef<Period>("1h");
  if (isLive(range)) period.current = range.period;

  const hrefOf = (path: string): string => trendOf([...tags.filter((each) => each !== path), path].slice(-MOST), inAddress(range));
  // Until then the plant's zone isn't known, and no time could be read or written.
  if (!isKnown) return <Loading />;
  return (
    <div class="trends">
      <h1>{t("nav.trend")}</h1>
      {tags.length === 0 ? (
        <>
          <div class="tools"><Finder label={t("trend.search")} suggests={false} hrefOf={hrefOf} /></div>
          <p class="empty">{t("trend.choose", { n: MOST })}</p>
        </>
      ) : (
        <Charts tags={tags} range={range} look={look} back={() => look({ period: period.current })} hrefOf={hrefOf} />
      )}
    </div>
  );
}

interface Given {
  tags: string[];
  range: Range;
  look(range: Range): void;
  back(): void;
  hrefOf(path: string): string;
}

function Charts({ tags, range, look, back, hrefOf }: Given) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [height, setHeight] = useState(0);
  const [cursor, point] = useState<number | null>(null);
  const charts = useRef(new Map<number, uPlot>());
  const bands = useRef<HTMLCanvasElement | null>(null);
  const paint = usePaint();
  const found = useTrends(tags, range, Math.min(2000, Math.max(100, Math.round(width / 50) * 50)) * Number(width > 0));
  // What ends now moves once a second, with the values.
  const [from, to] = bounds(range, Math.ceil(now() / 1000) * 1000);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() => {
      setWidth(element.clientWidth);
      setHeight(element.clientHeight);
    });
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);

  const drawn: Drawn[] = found.tracks.map((track) => ({ track, colour: paint.series[tags.indexOf(track.line.path)] ?? paint.text }));
  const numeric = drawn.filter(({ track }) => isNumeric(track.line));
  const others = drawn.filter(({ track }) => !isNumeric(track.line));
  const units = [...new Set(numeric.map(({ track }) => track.line.unit))];
  const groups = units.map((unit) => numeric.filter(({ track }) => track.line.unit === unit));
  // Two units share a chart, an axis each; more than two would leave nobody knowing whose axis is whose.
  const panes = groups.length === 0 ? [[]] : groups.length <= 2 ? [groups] : groups.map((group) => [group]);
  const room = Math.max(0, height - others.length * BAND - AXIS);
  const tall = groups.length === 0 ? 0 : Math.max(LEAST_HEIGHT, Math.floor(room / panes.length) - 20);

  const acts = useMemo(() => ({
    zoom: (start: number, end: number) => look(clamped(start, end, now())),
    reset: back,
    point,
  }), [back, look]);

  function keys(event: KeyboardEvent): void {
    const long = to - from;
    const step = long / (event.shiftKey ? 20 : 200);
    const here = cursor ?? to;
    if (event.key === "ArrowLeft") point(Math.max(from, here - step));
    else if (event.key === "ArrowRight") point(Math.min(to, here + step));
    else if (event.key === "Home") point(from);
    else if (event.key === "End") point(to);
    else if (event.key === "+" || event.key === "=") acts.zoom(here - long / 4, here + long / 4);
    else if (event.key === "-") acts.zoom(from - long / 2, to + long / 2);
    else if (event.key === "Escape") {
      point(null);
      back();
    } else return;
    event.preventDefault();
  }

  async function save(ending: "csv" | "png"): Promise<void> {
    if (!found.answer) return;
    const name = nameOf(found.answer, ending);
    if (ending === "csv") return download(new Blob([csv(found.answer)], { type: "text/csv;charset=utf-8" }), name);
    const canvases = [...(bands.current ? [bands.current] : []), ...[...charts.current.entries()].sort(([a], [b]) => a - b).map(([, chart]) => chart.ctx.canvas)];
    const made = await picture(canvases, drawn, between(from, to), paint);
    if (made) download(made, name);
  }

  const unknown = found.answer?.unknown.filter((path) => tags.includes(path)) ?? [];
  // While other tags are asked for the answer is still that to the question before.
  const isAnswered = found.answer !== null && tags.length === drawn.length + unknown.length;
  const nothing = isAnswered && !drawn.some(({ track }) => track.x.length);
  return (
    <>
      <div class="tools">
        {tags.length < MOST && <Finder label={t("trend.search")} suggests={false} hrefOf={hrefOf} />}
        <div class="choices" role="group" aria-label={t("trend.period")}>
          {(Object.keys(PERIODS) as Period[]).map((each) => (
            <a key={each} href={trendOf(tags, `span=${each}`)} aria-current={isLive(range) && range.period === each ? "true" : undefined} onClick={(event) => { event.preventDefault(); look({ period: each }); }}>{t(`period.${each}` as Key)}</a>
          ))}
        </div>
        <Stretch from={from} to={to} isChosen={!isLive(range)} look={(start, end) => look({ from: start, to: Math.min(end, start + LONGEST) })} />
        <span class="choices" role="group" aria-label={t("trend.move")}>
          <button type="button" title={t("trend.earlier")} aria-label={t("trend.earlier")} onClick={() => acts.zoom(from - (to - from) / 2, to - (to - from) / 2)}>‹</button>
          <button type="button" title={t("trend.later")} aria-label={t("trend.later")} disabled={isLive(range)} onClick={() => acts.zoom(from + (to - from) / 2, to + (to - from) / 2)}>›</button>
        </span>
        <span class="space" />
        <button type="button" disabled={!found.answer} onClick={() => void save("csv")}>CSV</button>
        <button type="button" disabled={!found.answer} onClick={() => void save("png")}>PNG</button>
      </div>
      {found.isOff && <p class="notice" role="note">{t("trend.off")}</p>}
      {unknown.map((path) => <p class="notice" key={path} role="note">{t("trend.unknown", { tag: path })}</p>)}
      {found.error && <Failed reason={found.error} retry={found.again} />}
      {!isAnswered && !found.error && <Loading />}
      {drawn.length > 0 && <Legend drawn={drawn} from={from} to={to} cursor={cursor} isLive={isLive(range)} remove={(path) => (location.hash = trendOf(tags.filter((each) => each !== path), inAddress(range)))} />}
      <p class="moment">
        <span>{cursor === null ? between(from, to) : moment(cursor)}</span>
        <span class="note">{t("trend.keys")}</span>
      </p>
      <div class="canvas card" ref={box} role="group" tabIndex={0} aria-label={t("trend.chart")} onKeyDown={keys} onMouseLeave={() => point(null)}>
        {width > 0 && others.length > 0 && (
          <Bands drawn={others} axis={{ from, to, width, right: panes[0]?.length === 2 }} paint={paint} cursor={cursor} point={point} kept={(canvas) => (bands.current = canvas)} />
        )}
        {width > 0 && drawn.length > 0 && panes.map((pane, i) => (
          <div class="pane" key={i}>
            {pane.length > 0 && (
              <p class="units" aria-hidden="true">
                {pane.map((group) => <span key={group[0]?.track.line.unit}>{unitWord(group[0]?.track.line.unit ?? "") || t("trend.plain")}</span>)}
              </p>
            )}
            <Chart
              groups={pane}
              from={from}
              to={to}
              width={width}
              height={tall + (i === panes.length - 1 ? AXIS : 0)}
              hasTimes={i === panes.length - 1}
              cursor={cursor}
              acts={acts}
              paint={paint}
              look={`${paint.look} ${language.get()}`}
              kept={(chart) => (chart ? charts.current.set(i, chart) : charts.current.delete(i))}
            />
          </div>
        ))}
        {nothing && <p class="empty">{t("trend.nothing")}</p>}
      </div>
      {found.answer && <Values answer={found.answer} />}
      <p class="hidden" role="status">{cursor === null ? "" : spoken(drawn, cursor)}</p>
    </>
  );
}

function spoken(drawn: Drawn[], cursor: number): string {
  const said = drawn.map(({ track }) => {
    const row = rowAt(track, cursor);
    const value = row < 0 ? null : (track.y[row] ?? null);
    const text = isNumeric(track.line) ? (value === null ? t("trend.gap") : `${figure(value)} ${unitWord(track.line.unit)}`) : ((row < 0 ? null : wordOf(track)(row)) ?? t("trend.gap"));
    return `${track.line.path.split("/").at(-1)} ${text}`;
  });
  return `${moment(cursor)}: ${said.join(", ")}`;
}
