// Where does it go, when, and against what?
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { EnergyFigures, EnergyPlant } from "../api";
import { now, state, watch } from "../feed";
import { between, figure } from "../format";
import { useValue } from "../observable";
import { usePaint } from "../paint";
import { Failed, Loading } from "../parts";
import { route } from "../route";
import { Stretch } from "../trend/stretch";
import { download } from "../trend/save";
import { dayOf } from "../zone";
import { type Key, language, t, unitWord, word } from "../words";
import { Aside } from "./aside";
import { Chart, isPower, numberOf } from "./chart";
import { colourOf } from "./colours";
import { moved } from "./cursor";
import { useAnswer } from "./data";
import { Legend } from "./legend";
import { before, boundsOf, DAY, everyOf, periodInAddress, periodOf, reportOf, SPANS, spoken, wholeDays, type Every, type Period } from "./period";
import { share } from "./share";
import { csv, exact, Figures } from "./table";
import { EnergyTree } from "./tree";
import "./energy.css";

const METRICS = ["load", "energy", "cost", "demand", "coal_equivalent", "coal_primary", "co2", "co2_market"] as const;
export type Metric = (typeof METRICS)[number];
const OF_ELECTRICITY = new Set<Metric>(["load", "cost", "demand"]);
const NOT_COUNTED = /^(electricity_|production)/;
const HOWS = ["curve", "calendar", "flow"] as const;
type How = (typeof HOWS)[number];
const AGAIN = 30_000;

export default function EnergyView() {
  const isKnown = useValue(state) !== null;
  useEffect(() => watch([], false), []);
  const { answer: plant, error, again } = useAnswer<EnergyPlant>("energy", isKnown ? {} : null);
  if (error) return <Failed reason={error} retry={again} view={t("nav.energy")} />;
  if (!plant) return <Loading />;
  if (!plant.meters.length) return <><h1>{t("nav.energy")}</h1><p class="empty">{t("energy.none")}</p></>;
  return <Energy plant={plant} />;
}

interface Choice {
  subject: string;
  medium: string;
  metric: Metric;
  period: Period;
  every: Every;
  everies: Every[];
  from: number;
  to: number;
  compares: boolean;
  how: How;
}

function chosen(plant: EnergyPlant, query: URLSearchParams): Choice {
  const subject = query.get("at") || plant.site;
  const meter = plant.meters.find((each) => each.name === subject);
  const media = meter ? [meter.medium] : (plant.places.find((each) => each.path === subject)?.media ?? []);
  const wanted = query.get("medium") ?? "";
  const medium = media.includes(wanted) ? wanted : media.includes("electricity") ? "electricity" : (media[0] ?? "electricity");
  const metrics = metricsOf(medium);
  const period = periodOf(query);
  const [from, to] = boundsOf(period, now(), plant.billing_day);
  const asked = query.get("metric") as Metric;
  const metric = metrics.includes(asked) ? asked : medium === "electricity" && to - from <= 8 * DAY ? "load" : "energy";
  const everies = everyOf([from, to], metric === "load", plant.shifts.length > 0);
  const every = query.get("every") as Every;
  const how = query.get("how") as How;
  return {
    subject, medium, metric, period, everies, from, to,
    every: everies.includes(every) ? every : (everies[0] ?? "day"),
    compares: query.get("vs") === "1", how: HOWS.includes(how) ? how : "curve",
  };
}

/** A day of it is a sum; of load and demand the calendar shows the energy. */
const adds = (metric: Metric): boolean => metric !== "load" && metric !== "demand";

const metricsOf = (medium: string): Metric[] =>
  METRICS.filter((each) => (medium === "electricity" || !OF_ELECTRICITY.has(each)) && (each === "energy" || !NOT_COUNTED.test(medium)));

function Energy({ plant }: { plant: EnergyPlant }) {
  const at = useValue(route);
  useValue(language);
  const choice = chosen(plant, at.query);
  const href = (changes: Partial<Record<string, string>>): string => {
    const { subject, medium, metric, period, compares, every, how } = choice;
    const query = { at: subject, medium, metric, ...periodInAddress(period), ...(at.query.get("every") ? { every } : {}), ...(compares ? { vs: "1" } : {}), ...(how === "curve" ? {} : { how }), ...changes };
    const kept = Object.entries(query).filter((pair): pair is [string, string] => !!pair[1] && !(changes.span && ["from", "to"].includes(pair[0])));
    return `#/energy?${new URLSearchParams(kept)}`;
  };
  const media = plant.meters.find((each) => each.name === choice.subject) ? [choice.medium] : (plant.places.find((each) => each.path === choice.subject)?.media ?? []);
  const nameOf = (medium: string): string => plant.media.find((each) => each.name === medium)?.[language.get()] ?? medium;
  return (
    <div class="energy">
      <h1>{t("nav.energy")}</h1>
      <EnergyTree plant={plant} subject={choice.subject} medium={choice.medium} hrefOf={(subject, medium) => href({ at: subject, medium })} />
      <div class="main">
        <div class="tools">
          {choice.how !== "calendar" && (
            <>
              <Choices label={t("trend.period")} names={SPANS} is={"span" in choice.period ? choice.period.span : ""} word="span" href={(span) => href({ span, every: "" })} />
              <Stretch from={choice.from} to={choice.to} isChosen={!("span" in choice.period)} look={(from, to) => (location.hash = href({ ...periodInAddress(wholeDays(from, to)), span: "", every: "" }))} />
              <a class="button" href={href({ vs: choice.compares ? "" : "1" })} aria-pressed={choice.compares} role="button">{t(`energy.vs.${"span" in choice.period ? choice.period.span : "free"}` as Key)}</a>
            </>
          )}
          <span class="space" />
          <Choices label={t("energy.how")} names={HOWS} is={choice.how} word="how" href={(how) => href({ how: how === "curve" ? "" : how })} />
        </div>
        <div class="tools">
          {media.length > 1 && <Picker label={t("energy.medium")} names={media} is={choice.medium} nameOf={nameOf} go={(medium) => (location.hash = href({ medium }))} />}
          {(choice.how === "curve" || choice.how === "calendar") && <Picker label={t("energy.metric")} names={metricsOf(choice.medium).filter((each) => choice.how !== "calendar" || adds(each))} is={choice.how === "calendar" && !adds(choice.metric) ? "energy" : choice.metric} nameOf={(each) => word("metric", each)} go={(metric) => (location.hash = href({ metric, every: "" }))} />}
          {choice.how === "curve" && <Picker label={t("energy.every")} names={[...choice.everies].sort()} is={choice.every} nameOf={(each) => word("every", each)} go={(every) => (location.hash = href({ every }))} />}
          <span class="note">{choice.how !== "calendar" && `${spoken(choice.from, choice.to)} · `}{state.get()?.strip.zone}</span>
          <span class="space" />
          <a href={reportOf(choice.from, choice.to)}>{t("energy.report")}</a>
        </div>
        {plant.example && choice.metric === "cost" && <p class="notice" role="note">{t("energy.example", { tariff: plant.example })}</p>}
        {choice.how === "curve" ? <Curve plant={plant} choice={choice} /> : <More plant={plant} choice={choice} />}
      </div>
    </div>
  );
}

function Choices<T extends string>({ label, names, is, word: prefix, href }: { label: string; names: readonly T[]; is: string; word: string; href(name: T): string }) {
  return (
    <div class="choices" role="group" aria-label={label}>
      {names.map((each) => <a key={each} href={href(each)} aria-current={each === is ? "true" : undefined}>{word(prefix, each)}</a>)}
    </div>
  );
}

function Picker({ label, names, is, nameOf, go }: { label: string; names: string[]; is: string; nameOf(name: string): string; go(name: string): void }) {
  return (
    <label class="picker">
      {label}
      <select value={is} onChange={(event) => go(event.currentTarget.value)}>
        {names.map((each) => <option key={each} value={each}>{nameOf(each)}</option>)}
      </select>
    </label>
  );
}

/** ECharts comes only for those who look at a heat map or a Sankey diagram. */
function More({ plant, choice }: { plant: EnergyPlant; choice: Choice }) {
  const [View, show] = useState<ComponentType<{ plant: EnergyPlant; choice: Choice }> | null>(null);
  const [error, fail] = useState("");
  useEffect(() => {
    import("./more").then((chunk) => show(() => chunk.default), () => fail(t("page.unreached")));
  }, []);
  if (error) return <Failed reason={error} retry={() => location.reload()} />;
  return View ? <View plant={plant} choice={choice} /> : <Loading />;
}

function Curve({ plant, choice }: { plant: EnergyPlant; choice: Choice }) {
  const { subject, medium, metric, every, from, to, compares, period } = choice;
  const asked = { subject, medium, metric, interval: every, start: from, end: to };
  const runs = now() >= from && now() < to;
  const { answer: found, error, again } = useAnswer<EnergyFigures>("energy/figures", asked, runs ? AGAIN : 0);
  const [start, end] = before(period, [from, to], plant.billing_day);
  const past = useAnswer<EnergyFigures>("energy/figures", compares ? { ...asked, start, end } : null).answer;
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [cursor, point] = useState<number | null>(null);
  const [zoom, look] = useState<[number, number] | null>(null);
  const chart = useRef<uPlot | null>(null);
  const paint = usePaint();
  useEffect(() => {
    look(null);
    point(null);
  }, [subject, medium, metric, every, from, to]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() => setWidth(element.clientWidth));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  const [left, right] = zoom ?? [from, to];

  function keys(event: KeyboardEvent): void {
    const to = moved(event.key, cursor, found?.rows.length ?? 0);
    if (to === undefined) return;
    point(to);
    if (to === null) look(null);
    event.preventDefault();
  }

  async function save(ending: "csv" | "png"): Promise<void> {
    if (!found) return;
    const name = `${metric}_${subject.replace(/[^\w.-]+/g, "_")}_${dayOf(from)}_${dayOf(to - 1)}.${ending}`;
    if (ending === "csv") return download(new Blob([csv(found)], { type: "text/csv;charset=utf-8" }), name);
    const source = chart.current?.ctx.canvas;
    if (!source) return;
    const canvas = document.createElement("canvas");
    const head = 28 * paint.ratio;
    Object.assign(canvas, { width: source.width, height: source.height + head });
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.fillStyle = paint.card;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.font = paint.font;
    context.fillStyle = paint.text;
    context.fillText(`${subject} · ${word("metric", metric)} ${unitWord(found.unit)} · ${spoken(from, to)}`, 12 * paint.ratio, 18 * paint.ratio);
    context.drawImage(source, 0, head);
    canvas.toBlob((made) => made && download(made, name), "image/png");
  }

  const row = cursor === null ? undefined : found?.rows[cursor];
  const says = row ? `${between(row.start, row.end)}: ${row.value === null ? t("energy.unknown") : `${figure(Number(row.value), 6)} ${found ? unitWord(found.unit) : ""}`}` : "";
  return (
    <>
      {error && <Failed reason={error} retry={again} />}
      {found && <Aside plant={plant} found={found} past={past} />}
      <section class="card plotted">
        <header>
          <h2>{subject} · {word("metric", metric)}{found ? ` (${unitWord(found.unit)})` : ""}</h2>
          <span class="note">{says ? `${says}${row && row.value !== null ? ` · ${t("energy.measured")} ${share(row.measured)}` : ""}${past && cursor !== null ? ` · ${t("energy.before")} ${exact(past.rows[cursor]?.value ?? null)}` : ""}` : t("energy.keys")}</span>
          <button type="button" disabled={!found} onClick={() => void save("csv")}>CSV</button>
          <button type="button" disabled={!found} onClick={() => void save("png")}>PNG</button>
        </header>
        <div class="canvas" ref={box} role="group" tabIndex={0} aria-label={t("energy.chart")} onKeyDown={keys} onMouseLeave={() => point(null)}>
          {!found && !error && <Loading />}
          {found && width > 0 && (
            <Chart
              found={found} past={past} from={left} to={right} width={width} height={300} colour={colourOf(medium, paint)} cursor={cursor} point={point}
              look={(first, last) => last - first > 900_000 && look([Math.max(from, first), Math.min(to, last)])} reset={() => look(null)}
              paint={paint} words={language.get()} kept={(made) => (chart.current = made)}
            />
          )}
          {found && found.rows.every((each) => numberOf(each) === null) && !found.wanted.length && <p class="empty">{t("energy.nothing")}</p>}
        </div>
        {found && <Legend found={found} past={past} steps={isPower(found)} colour={colourOf(medium, paint)} />}
      </section>
      {found && <section class="card"><Figures found={found} past={past} cursor={cursor} /></section>}
      <p class="hidden" role="status">{says}</p>
    </>
  );
}
export type { Choice };
