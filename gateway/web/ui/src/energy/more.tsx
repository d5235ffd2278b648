// Calendar heat map and Sankey: the only views that need ECharts, of which only these parts are taken.
import { HeatmapChart, SankeyChart, ScatterChart } from "echarts/charts";
import { CalendarComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import { init, use, type ECharts, type EChartsCoreOption } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { EnergyFigures, EnergyFlow, EnergyFlows, EnergyPlant, EnergyRow } from "../api";
import { now } from "../feed";
import { figure } from "../format";
import { type Paint, usePaint } from "../paint";
import { Failed, Loading, Mark, Wide } from "../parts";
import { download } from "../trend/save";
import { dayOf } from "../zone";
import { language, t, unitWord, word } from "../words";
import { colourOf } from "./colours";
import { useAnswer } from "./data";
import { DAY } from "./period";
import { share } from "./share";
import { exact, Figures, mostDecimals, padOf } from "./table";
import type { Choice } from "./view";

use([HeatmapChart, SankeyChart, ScatterChart, CalendarComponent, TooltipComponent, VisualMapComponent, CanvasRenderer]);

export default function More({ plant, choice }: { plant: EnergyPlant; choice: Choice }) {
  return choice.how === "calendar" ? <Calendar plant={plant} choice={choice} /> : <Flow plant={plant} choice={choice} />;
}

function Diagram({ option, height, label, kept }: { option: unknown; height: number; label: string; kept(chart: ECharts | null): void }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = init(element);
    chart.current = made;
    kept(made);
    const sizes = new ResizeObserver(() => made.resize());
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      kept(null);
      chart.current = null;
      made.dispose();
    };
  }, []);
  useEffect(() => {
    if (option) chart.current?.setOption(option as EChartsCoreOption, { notMerge: true });
  }, [option]);
  return <div ref={box} role="img" aria-label={label} style={{ height: `${height}px` }} />;
}

function save(chart: ECharts | null, name: string, paint: Paint): void {
  const address = chart?.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: paint.card });
  if (address) download(new Blob([Uint8Array.from(atob(address.split(",")[1] ?? ""), (each) => each.charCodeAt(0))], { type: "image/png" }), `${name}.png`);
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);

const WEEKS = 26;
const COMPLETE = 0.9;

/** Half a year of days around the period; load as the days' energy, since a day's mean hides its hours. */
function Calendar({ plant, choice }: { plant: EnergyPlant; choice: Choice }) {
  const paint = usePaint();
  const chart = useRef<ECharts | null>(null);
  const { subject, medium } = choice;
  const metric = choice.metric === "load" ? "energy" : choice.metric;
  const end = Math.ceil(Math.min(choice.to, now() + DAY) / DAY) * DAY;
  const start = end - WEEKS * 7 * DAY;
  const { answer: found, error, again } = useAnswer<EnergyFigures>("energy/figures", { subject, medium, metric, interval: "day", start, end });
  const option = useMemo(() => (found ? calendarOf(found, new Set(plant.days), colourOf(medium, paint), paint) : null), [found, paint, plant, medium]);
  if (error) return <Failed reason={error} retry={again} />;
  if (!found) return <Loading />;
  return (
    <>
      {found.wanted.map((each) => <p class="notice" key={each.choice + each.en}>{each[language.get()]}</p>)}
      <section class="card plotted">
        <header>
          <h2>{subject} · {word("metric", metric)} ({unitWord(found.unit)})</h2>
          <span class="note" />
          <button type="button" onClick={() => save(chart.current, `calendar_${subject.replace(/[^\w.-]+/g, "_")}`, paint)}>PNG</button>
        </header>
        <div class="canvas"><Diagram option={option} height={272} label={t("energy.calendar")} kept={(made) => (chart.current = made)} /></div>
        <ul class="marks">
          <li><b aria-hidden="true">●</b> {t("energy.rest")}</li>
          <li><b aria-hidden="true">▲</b> {t("energy.incomplete")}</li>
          <li><i class="missing" />{t("energy.gap")}</li>
        </ul>
      </section>
      <section class="card"><Figures found={found} past={null} cursor={null} /></section>
    </>
  );
}

function calendarOf(found: EnergyFigures, rest: Set<string>, colour: string, paint: Paint): unknown {
  const known = found.rows.filter((row) => row.value !== null);
  const values = known.map((row) => [dayOf(row.start), Number(row.value)] as const);
  const most = Math.max(0, ...values.map(([, value]) => value)) || 1;
  const byDay = new Map(found.rows.map((row) => [dayOf(row.start), row]));
  const says = ({ value: [day] }: { value: [string, number] }): string => {
    const row = byDay.get(day);
    const value = !row || row.value === null ? t("energy.unknown") : `${figure(Number(row.value), 5)} ${unitWord(found.unit)}`;
    return escaped(`${day}${rest.has(day) ? ` ${t("energy.rest")}` : ""}: ${value}${row ? ` · ${t("energy.complete")} ${share(row.completeness)}` : ""}`);
  };
  const marked = (symbol: string, size: number, offset: [string, string], rows: EnergyRow[]) => ({
    type: "scatter", coordinateSystem: "calendar", symbol, symbolSize: size, symbolOffset: offset, silent: true,
    itemStyle: { color: paint.text, borderColor: paint.card, borderWidth: 1 }, data: rows.map((row) => [dayOf(row.start), 0]),
  });
  const names = language.get() === "zh" ? "ZH" : "EN";
  return {
    textStyle: { fontFamily: getComputedStyle(document.documentElement).fontFamily },
    animation: false,
    tooltip: { backgroundColor: paint.card, borderColor: paint.line, textStyle: { color: paint.text, fontSize: 12 }, formatter: says },
    visualMap: {
      seriesIndex: 0, min: 0, max: most, orient: "horizontal", right: 16, top: 0, itemWidth: 12, itemHeight: 160, calculable: false,
      text: [`${figure(most, 3)} ${unitWord(found.unit)}`, "0"], textStyle: { color: paint.soft }, inRange: { color: [paint.card, colour] },
    },
    calendar: {
      left: 56, right: 24, top: 64, cellSize: ["auto", 26], range: [dayOf((found.rows[0] as EnergyRow).start), dayOf((found.rows.at(-1) as EnergyRow).start)],
      itemStyle: { color: "transparent", borderColor: paint.line, borderWidth: 1 }, splitLine: { lineStyle: { color: paint.soft, width: 1 } },
      yearLabel: { show: false }, monthLabel: { color: paint.soft, nameMap: names }, dayLabel: { color: paint.soft, firstDay: 1, nameMap: names },
    },
    series: [
      { type: "heatmap", coordinateSystem: "calendar", data: values, itemStyle: { borderColor: paint.line, borderWidth: 1 } },
      marked("circle", 7, ["-60%", "-60%"], known.filter((row) => rest.has(dayOf(row.start)))),
      marked("triangle", 9, ["60%", "60%"], known.filter((row) => row.completeness < COMPLETE)),
    ],
  };
}

function Flow({ plant, choice }: { plant: EnergyPlant; choice: Choice }) {
  const paint = usePaint();
  const chart = useRef<ECharts | null>(null);
  const { subject, medium, from, to } = choice;
  const { answer: found, error, again } = useAnswer<EnergyFlows>("energy/flows", { medium, start: from, end: to, ...(subject === plant.site ? {} : { subject }) });
  const nameOf = (name: string): string => plant.meters.find((each) => each.name === name)?.title || name;
  const option = useMemo(() => (found ? sankeyOf(found, nameOf, colourOf(medium, paint), paint) : null), [found, paint, medium, language.get()]);
  if (error) return <Failed reason={error} retry={again} />;
  if (!found) return <Loading />;
  const rows = [...found.flows].sort((a, b) => Number(b.value) - Number(a.value));
  const most = mostDecimals(rows.map((each) => each.value));
  return (
    <>
      {found.unknown.length > 0 && <p class="notice" role="note"><Mark tone="look" /> {t("energy.unmeasured", { which: found.unknown.map(nameOf).join(t("figure.comma")) })}</p>}
      {found.partly.length > 0 && <p class="notice" role="note"><Mark tone="look" /> {t("energy.partly", { which: found.partly.map(nameOf).join(t("figure.comma")) })}</p>}
      {found.over.map((each) => <p class="notice" role="note" key={each.source}><Mark tone="look" /> {t("energy.over", { meter: nameOf(each.source), value: exact(each.value), unit: unitWord(found.unit) })}</p>)}
      {found.flows.length === 0 ? <p class="empty">{t("energy.no_flow")}</p> : (
        <>
          <section class="card plotted">
            <header>
              <h2>{subject} · {t("how.flow")} ({unitWord(found.unit)})</h2>
              <span class="note" />
              <button type="button" onClick={() => save(chart.current, `flow_${subject.replace(/[^\w.-]+/g, "_")}`, paint)}>PNG</button>
            </header>
            <Wide label={t("energy.sankey")}><div class="canvas flow"><Diagram option={option} height={380} label={t("energy.sankey")} kept={(made) => (chart.current = made)} /></div></Wide>
          </section>
          <section class="card">
            <div class="scroller" role="region" tabIndex={0} aria-label={t("energy.sankey")}>
              <table>
                <caption class="hidden">{t("energy.sankey")}</caption>
                <thead><tr><th scope="col">{t("energy.from")}</th><th scope="col">{t("energy.to")}</th><th scope="col" class="num">{unitWord(found.unit)}</th><th scope="col" class="num">{t("energy.part")}</th><th scope="col">{t("energy.flags")}</th></tr></thead>
                <tbody>
                  {rows.map((each) => (
                    <tr key={`${each.source} ${each.target}`}>
                      <th scope="row">{nameOf(each.source)}</th>
                      <td>{each.target ? nameOf(each.target) : t("energy.unaccounted")}</td>
                      <td class="num" data-pad={padOf(each.value, most)}>{exact(each.value)}</td>
                      <td class="num">{each.share === null ? "—" : share(each.share)}</td>
                      <td>{each.alarm && <span class="weak"><Mark tone="look" /> {t("energy.too_much")}</span>}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        </>
      )}
    </>
  );
}

const lost = (flow: EnergyFlow): string => `${flow.source}\n`;

/** What nobody accounts for is a stream of its own, grey, with its share. */
function sankeyOf(found: EnergyFlows, nameOf: (name: string) => string, colour: string, paint: Paint): unknown {
  const [came, left] = [new Map<string, number>(), new Map<string, number>()];
  for (const each of found.flows) {
    const target = each.target || lost(each);
    came.set(target, (came.get(target) ?? 0) + Number(each.value));
    if (!each.beside) left.set(each.source, (left.get(each.source) ?? 0) + Number(each.value));
  }
  // What a meter measured is what leaves it to those behind it, and at the end of the way what comes.
  const sums = new Map([...came, ...left]);
  const shown = (name: string): string => {
    const flow = found.flows.find((each) => !each.target && lost(each) === name);
    const value = `${figure(sums.get(name) ?? 0, 4)} ${unitWord(found.unit)}`;
    return flow ? `${t("energy.unaccounted")} ${value}${flow.share === null ? "" : ` (${share(flow.share)})`}` : `${nameOf(name)} ${value}`;
  };
  return {
    textStyle: { fontFamily: getComputedStyle(document.documentElement).fontFamily },
    animation: false,
    tooltip: { backgroundColor: paint.card, borderColor: paint.line, textStyle: { color: paint.text, fontSize: 12 }, formatter: ({ data, name }: { data: { source?: string; target?: string; value?: number }; name: string }) => escaped(data.source ? `${nameOf(data.source)} → ${shown(data.target ?? "")}` : shown(name)) },
    series: [{
      type: "sankey", left: 16, right: 220, top: 16, bottom: 16, nodeWidth: 12, nodeGap: 14, draggable: false, emphasis: { focus: "adjacency" },
      label: { color: paint.text, fontSize: 12, formatter: ({ name }: { name: string }) => shown(name) },
      data: [...sums.keys()].map((name) => ({ name, itemStyle: { color: name.endsWith("\n") ? paint.soft : colour, borderWidth: 0 } })),
      links: found.flows.filter((each) => Number(each.value) > 0).map((each) => ({ source: each.source, target: each.target || lost(each), value: Number(each.value), lineStyle: { color: each.target ? colour : paint.soft, opacity: 0.35 } })),
    }],
  };
}
