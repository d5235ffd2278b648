// Energy as bars, power as steps, on pale bands of the tariff. A gap stays one; what is not measured looks so.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { EnergyBand, EnergyFigures, EnergyRow } from "../api";
import { figure } from "../format";
import type { Paint } from "../paint";
import { ticks } from "../trend/range";
import { inField } from "../zone";
import { t } from "../words";
import { pattern } from "./colours";

const LEFT = 72;
const RIGHT = 48;
const STEP = 0.8;

interface Given {
  found: EnergyFigures;
  past: EnergyFigures | null;
  from: number;
  to: number;
  width: number;
  height: number;
  colour: string;
  cursor: number | null;
  point(row: number | null): void;
  look(from: number, to: number): void;
  reset(): void;
  paint: Paint;
  words: string;
  kept(chart: uPlot | null): void;
}

export const isPower = (found: EnergyFigures): boolean => found.metric === "load" || found.metric === "demand";
export const numberOf = (row: EnergyRow | undefined): number | null => (row === undefined || row.value === null ? null : Number(row.value));
export const isWeak = (row: EnergyRow): boolean => row.value !== null && row.measured < 0.95;

export function Chart(given: Given) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const now = useRef(given);
  now.current = given;
  const { found, past, from, to, width, height, paint, cursor, words } = given;
  useEffect(() => {
    const made = new uPlot(options(now), data(now.current), box.current as HTMLElement);
    chart.current = made;
    now.current.kept(made);
    return () => {
      now.current.kept(null);
      chart.current = null;
      made.destroy();
    };
  }, [paint.look, words]);
  useEffect(() => {
    const made = chart.current;
    if (!made) return;
    if (made.width !== width || made.height !== height) made.setSize({ width, height });
    made.batch(() => {
      made.setData(data(now.current), false);
      made.setScale("x", { min: from, max: to });
    });
  }, [found, past, from, to, width, height, paint.look, words]);
  useEffect(() => {
    const row = cursor === null ? undefined : found.rows[cursor];
    const left = row ? (chart.current?.valToPos((row.start + row.end) / 2, "x") ?? -10) : -10;
    if (Math.abs((chart.current?.cursor.left ?? -10) - left) > 0.5) chart.current?.setCursor({ left, top: row ? 1 : -10 }, false);
  }, [cursor, found, from, to]);
  return <div class="plot" ref={box} style={{ height: `${height}px` }} />;
}

const data = ({ from, to, found, past }: Given): uPlot.AlignedData => [[from, to], [0, top(found, past)]];

/** From zero, and below it only where something is. */
function extent({ found, past }: Given): [number, number] {
  const low = Math.min(0, ...found.rows.map((row) => numberOf(row) ?? 0));
  return [low && low * 1.06, top(found, past)];
}

function top(found: EnergyFigures, past: EnergyFigures | null): number {
  const known = [...found.rows, ...(past?.rows ?? [])].map((row) => numberOf(row) ?? 0);
  return (Math.max(0, found.metric === "demand" || found.metric === "load" ? (found.contract ?? 0) : 0, ...known) || 1) * 1.08;
}

function options(now: { current: Given }): uPlot.Options {
  let heard: MouseEvent | null | undefined;
  const { paint, width, height } = now.current;
  const axis = { stroke: paint.soft, font: paint.font };
  return {
    width, height, ms: 1,
    tzDate: (time) => new Date(inField(time)),
    legend: { show: false },
    padding: [8, RIGHT, 0, 0],
    scales: { x: { time: true, range: () => [now.current.from, now.current.to] }, y: { range: () => extent(now.current) } },
    axes: [
      { ...axis, size: 32, space: 90, grid: { show: false }, ticks: { stroke: paint.line, width: 1, size: 4 }, values: (_, splits, __, ___, step) => ticks(splits, step) },
      { ...axis, size: LEFT, space: 28, grid: { stroke: paint.line, width: 1 }, ticks: { stroke: paint.line, width: 1, size: 4 }, values: (_, splits) => splits.map((split) => figure(Number(split.toPrecision(12)), 6)) },
    ],
    series: [{}, { scale: "y", paths: () => null, points: { show: false } }],
    cursor: {
      y: false, points: { show: false }, drag: { x: true, y: false, setScale: false },
      bind: { dblclick: () => () => (now.current.reset(), null) },
    },
    hooks: {
      drawClear: [(chart) => drawBands(chart, bandsOf(now.current.found), now.current.paint)],
      draw: [(chart) => drawAll(chart, now.current)],
      setCursor: [(chart) => {
        if (!chart.cursor.event || chart.cursor.event === heard) return;
        heard = chart.cursor.event;
        const left = chart.cursor.left ?? -1;
        now.current.point(left < 0 ? null : rowAt(now.current.found.rows, chart.posToVal(left, "x")));
      }],
      setSelect: [(chart) => {
        const { left, width: wide } = chart.select;
        if (wide > 4) now.current.look(chart.posToVal(left, "x"), chart.posToVal(left + wide, "x"));
        if (wide) chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
      ready: [(chart) => chart.over.addEventListener("wheel", (event) => {
        event.preventDefault();
        const { from, to, look } = now.current;
        const part = event.offsetX / chart.over.clientWidth;
        const long = (to - from) * (event.deltaY < 0 ? STEP : 1 / STEP);
        const at = from + part * (to - from);
        look(at - part * long, at + (1 - part) * long);
      }, { passive: false })],
    },
  };
}

/** Bands behind what is finer than a day and short enough to tell them apart. */
export const bandsOf = (found: EnergyFigures): EnergyBand[] =>
  (found.interval === "15min" || found.interval === "60min") && (found.rows.at(-1)?.end ?? 0) - (found.rows[0]?.start ?? 0) <= 8 * 86_400_000 ? found.bands : [];

export function rowAt(rows: EnergyRow[], time: number): number | null {
  const row = rows.findIndex(({ start, end }) => start <= time && time < end);
  return row < 0 ? null : row;
}

function clipped(chart: uPlot, draw: () => void): void {
  const { left, top: high, width, height } = chart.bbox;
  chart.ctx.save();
  chart.ctx.beginPath();
  chart.ctx.rect(left, high, width, height);
  chart.ctx.clip();
  draw();
  chart.ctx.restore();
}

function drawBands(chart: uPlot, bands: EnergyBand[], paint: Paint): void {
  const { top: high, height } = chart.bbox;
  clipped(chart, () => {
    for (const { start, end, band } of bands) {
      const [left, right] = [chart.valToPos(start, "x", true), chart.valToPos(end, "x", true)];
      chart.ctx.fillStyle = band === "undecided" ? pattern("hatched", paint.line, paint) : paint.bands[band];
      chart.ctx.fillRect(left, high, right - left, height);
    }
  });
}

function drawAll(chart: uPlot, given: Given): void {
  const { found, past, paint, colour, from } = given;
  clipped(chart, () => {
    const fills = { hatched: pattern("hatched", colour, paint), dotted: pattern("dotted", colour, paint) };
    const [first, then] = [found.rows[0], past?.rows[0]];
    const reference = (width: number): void => {
      if (past && then) drawSteps(chart, past.rows, paint.soft, width * paint.ratio, (first?.start ?? from) - then.start);
    };
    if (isPower(found)) {
      reference(1);
      drawSteps(chart, found.rows, colour, 2.5 * paint.ratio, 0);
    } else {
      for (const row of found.rows) drawBar(chart, row, colour, fills, paint);
      reference(1.5);
    }
    if (found.contract !== null && isPower(found)) drawContract(chart, found.contract, paint);
  });
}

const kindOf = (row: EnergyRow): "hatched" | "dotted" | null => (!isWeak(row) ? null : row.manual > row.estimated ? "dotted" : "hatched");

function drawBar(chart: uPlot, row: EnergyRow, colour: string, fills: Record<"hatched" | "dotted", CanvasPattern | string>, paint: Paint): void {
  const value = numberOf(row);
  if (value === null) return;
  const [left, right] = [chart.valToPos(row.start, "x", true), chart.valToPos(row.end, "x", true)];
  const gap = Math.min(3 * paint.ratio, (right - left) * 0.15);
  const [zero, y] = [chart.valToPos(0, "y", true), chart.valToPos(value, "y", true)];
  const kind = kindOf(row);
  const place = [left + gap, Math.min(zero, y), Math.max(1, right - left - 2 * gap), Math.abs(zero - y)] as const;
  chart.ctx.fillStyle = kind ? fills[kind] : colour;
  chart.ctx.fillRect(...place);
  if (!kind) return;
  chart.ctx.strokeStyle = colour;
  chart.ctx.lineWidth = paint.ratio;
  chart.ctx.strokeRect(...place);
}

/** A step for each row; dashed where estimated, dotted where entered by hand, nothing where nothing is known. */
function drawSteps(chart: uPlot, rows: EnergyRow[], colour: string, width: number, shift: number): void {
  const { ctx } = chart;
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  let held: { x: number; y: number } | null = null;
  for (const row of rows) {
    const value = numberOf(row);
    if (value === null) {
      held = null;
      continue;
    }
    const [left, right, y] = [chart.valToPos(row.start + shift, "x", true), chart.valToPos(row.end + shift, "x", true), chart.valToPos(value, "y", true)];
    const kind = kindOf(row);
    ctx.setLineDash(kind === "hatched" ? [4 * width, 2 * width] : kind === "dotted" ? [width, 2 * width] : []);
    ctx.beginPath();
    if (held && Math.abs(held.x - left) < 1) {
      ctx.moveTo(held.x, held.y);
      ctx.lineTo(left, y);
    } else ctx.moveTo(left, y);
    ctx.lineTo(right, y);
    ctx.stroke();
    held = { x: right, y };
  }
  ctx.setLineDash([]);
}

function drawContract(chart: uPlot, contract: number, paint: Paint): void {
  const { ctx, bbox } = chart;
  const y = chart.valToPos(contract, "y", true);
  ctx.strokeStyle = ctx.fillStyle = paint.bad;
  ctx.lineWidth = paint.ratio;
  ctx.setLineDash([8 * paint.ratio, 4 * paint.ratio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.font = paint.font;
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.fillText(`${t("energy.contract")} ${figure(contract)} kW`, bbox.left + bbox.width - 4, y - 2);
}
