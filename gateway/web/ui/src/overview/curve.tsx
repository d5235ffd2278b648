// Today's load in steps, yesterday's thin behind it, on the bands of the tariff.
import { useEffect, useRef, useState } from "preact/hooks";
import type { EnergyFigures, EnergyRow, Today, TodayCurve } from "../api";
import { Chart, numberOf } from "../energy/chart";
import { colourOf } from "../energy/colours";
import { moved } from "../energy/cursor";
import { Legend } from "../energy/legend";
import { clock, figure } from "../format";
import { usePaint } from "../paint";
import { language, t } from "../words";
import { titleOf } from "./bigs";
import "../energy/energy.css";

const LEAST = 160;
const SHORTEST = 900_000;
const minutes = (time: number): string => clock(time).slice(0, 5);

export default function Curve({ today, curve }: { today: Today; curve: TodayCurve }) {
  const box = useRef<HTMLDivElement>(null);
  const [size, fit] = useState<[number, number]>([0, 0]);
  const [cursor, point] = useState<number | null>(null);
  const [zoom, look] = useState<[number, number] | null>(null);
  const paint = usePaint();
  const { start, end } = today;
  useEffect(() => {
    look(null);
    point(null);
  }, [start]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() => fit([element.clientWidth, Math.max(LEAST, element.clientHeight)]));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  const found = curve.today && withLimit(curve.today, today);
  const past = curve.yesterday;
  const rows = found?.rows ?? [];
  const [width, height] = size;
  const [left, right] = zoom ?? [start, end];

  function keys(event: KeyboardEvent): void {
    const to = moved(event.key, cursor, rows.length);
    if (to === undefined) return;
    point(to);
    if (to === null) look(null);
    event.preventDefault();
  }

  const row = cursor === null ? undefined : rows[cursor];
  const then = row && before(row, past, start);
  const says = row ? `${minutes(row.start)}–${minutes(row.end)} ${said(row)} kW · ${t("today.yesterday")} ${said(then)}${then?.value ? " kW" : ""}` : "";
  const isEmpty = !rows.some((each) => numberOf(each) !== null) && !past?.rows.some((each) => numberOf(each) !== null);
  return (
    <section class="card plotted" aria-label={titleOf("curve", today.own)}>
      <header>
        <h2><a href="#/energy?metric=load&span=today">{titleOf("curve", today.own)}</a> (kW)</h2>
        <span class="note">{says || t("energy.keys")}</span>
      </header>
      <div class="canvas" ref={box} role="group" tabIndex={0} aria-label={t("energy.chart")} onKeyDown={keys} onMouseLeave={() => point(null)}>
        {found && width > 0 && !isEmpty && (
          <Chart
            found={found} past={past} from={left} to={right} width={width} height={height} colour={colourOf("electricity", paint)} cursor={cursor} point={point}
            look={(first, last) => last - first > SHORTEST && look([Math.max(start, first), Math.min(end, last)])} reset={() => look(null)}
            paint={paint} words={language.get()} kept={() => undefined}
          />
        )}
        {isEmpty && <p class="empty">{t("today.nothing")}</p>}
      </div>
      {found && !isEmpty && <Legend found={found} past={past} steps colour={colourOf("electricity", paint)} before={t("today.yesterday")} />}
      {found && !found.bands.length && <p class="note without">{t("today.bands_none")}</p>}
      <div class="hidden"><table>
        <caption>{t("today.table")}</caption>
        <thead><tr><th scope="col">{t("energy.time")}</th><th scope="col">kW</th><th scope="col">{t("today.yesterday")} kW</th></tr></thead>
        <tbody>
          {rows.map((each) => <tr key={each.start}><th scope="row">{minutes(each.start)}</th><td>{said(each)}</td><td>{said(before(each, past, start))}</td></tr>)}
        </tbody>
      </table></div>
      <p class="hidden" role="status">{says}</p>
    </section>
  );
}

const said = (row: EnergyRow | undefined): string => {
  const value = numberOf(row);
  return value === null ? t("energy.unknown") : figure(value, 4);
};

/** The row of the same clock, as far from its day's beginning. */
const before = (row: EnergyRow, past: EnergyFigures | null, start: number): EnergyRow | undefined =>
  past?.rows.find((each) => each.start - (past.rows[0]?.start ?? 0) === row.start - start);

/** The limit is the curve's own where all of the site comes through that one meter. */
function withLimit(found: EnergyFigures, today: Today): EnergyFigures {
  const [one, ...more] = today.demands;
  const isWhole = one && !more.length && (one.subject === found.subject || (found.made.length === 1 && found.made[0] === one.subject));
  return isWhole && one.limit !== null ? { ...found, contract: Number(one.limit) } : found;
}
