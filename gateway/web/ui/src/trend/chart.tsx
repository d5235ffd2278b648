// One chart: axes, cursor and zoom are uPlot's, the lines ours, because a gap must stay one whatever is beside it.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figure } from "../format";
import type { Paint } from "../paint";
import { drawTrack } from "./draw";
import { ticks } from "./range";
import { inField } from "../zone";
import type { Track } from "./shape";

export const LEFT = 72;
export const RIGHT = 24;
export const AXIS = 32;
/** How much shorter a stretch one notch of the wheel makes. */
const STEP = 0.8;

export interface Drawn {
  track: Track;
  colour: string;
}

export interface Acts {
  zoom(from: number, to: number): void;
  reset(): void;
  point(time: number | null): void;
}

interface Given {
  /** Of one unit each; two at most, the second on the right. */
  groups: Drawn[][];
  from: number;
  to: number;
  width: number;
  height: number;
  hasTimes: boolean;
  cursor: number | null;
  acts: Acts;
  paint: Paint;
  /** What makes everything be drawn anew: theme, language. */
  look: string;
  kept(chart: uPlot | null): void;
}

export function Chart(given: Given) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const now = useRef(given);
  now.current = given;
  const { groups, hasTimes, look, width, height, from, to, cursor } = given;

  useEffect(() => {
    const made = new uPlot(options(now, groups.length, hasTimes), data(now.current), box.current as HTMLElement);
    chart.current = made;
    now.current.kept(made);
    return () => {
      now.current.kept(null);
      chart.current = null;
      made.destroy();
    };
  }, [groups.length, hasTimes, look]);

  useEffect(() => {
    const made = chart.current;
    if (!made) return;
    if (made.width !== width || made.height !== height) made.setSize({ width, height });
    made.batch(() => {
      made.setData(data(now.current), false);
      made.setScale("x", { min: from, max: to });
    });
  }, [groups, from, to, width, height, look]);

  useEffect(() => {
    const made = chart.current;
    if (!made) return;
    const left = cursor === null ? -10 : made.valToPos(cursor, "x");
    if (Math.abs((made.cursor.left ?? -10) - left) > 0.5) made.setCursor({ left, top: cursor === null ? -10 : 1 }, false);
  }, [cursor, from, to, look]);

  return <div class="plot" ref={box} style={{ height: `${height}px` }} />;
}

/** Two points to range by: uPlot wants data, the lines are drawn from tracks. */
function data({ groups, from, to }: Given): uPlot.AlignedData {
  return [[from, to], ...groups.map((group) => extent(group, from, to))] as uPlot.AlignedData;
}

/** A little more than what is seen, and never nothing. */
export function extent(group: Drawn[], from: number, to: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const { track } of group) {
    track.x.forEach((x, i) => {
      if (track.y[i] === null || Math.max(track.end[i] as number, (track.x[i + 1] ?? track.until)) < from || x > to) return;
      low = Math.min(low, track.low[i] as number);
      high = Math.max(high, track.high[i] as number);
    });
  }
  if (low > high) return [0, 1];
  const room = high > low ? 0.06 * (high - low) : Math.max(Math.abs(high) * 0.01, 0.5);
  return [low - room, high + room];
}

function options(now: { current: Given }, groups: number, hasTimes: boolean): uPlot.Options {
  let heard: MouseEvent | null | undefined;
  const { paint, width, height } = now.current;
  const scales: Record<string, uPlot.Scale> = { x: { time: true, range: () => [now.current.from, now.current.to] } };
  const axes: uPlot.Axis[] = [
    {
      scale: "x",
      stroke: paint.soft,
      font: paint.font,
      size: hasTimes ? AXIS : 1,
      space: 90,
      grid: { stroke: paint.line, width: 1 },
      ticks: { show: hasTimes, stroke: paint.line, width: 1, size: 4 },
      values: (_, splits, __, ___, step) => (hasTimes ? ticks(splits, step) : splits.map(() => "")),
    },
  ];
  for (let i = 0; i < groups; i += 1) {
    scales[`y${i}`] = { range: () => extent(now.current.groups[i] ?? [], now.current.from, now.current.to) };
    axes.push({
      scale: `y${i}`,
      side: i ? 1 : 3,
      stroke: paint.soft,
      font: paint.font,
      size: LEFT,
      space: 28,
      grid: { show: i === 0, stroke: paint.line, width: 1 },
      ticks: { stroke: paint.line, width: 1, size: 4 },
      values: (_, splits) => splits.map((split) => figure(Number(split.toPrecision(12)), 6)),
    });
  }
  return {
    width,
    height,
    ms: 1,
    // Ticks fall on round hours and days of the plant's clock.
    tzDate: (time) => new Date(inField(time)),
    legend: { show: false },
    padding: [8, groups > 1 ? 0 : RIGHT, 0, groups ? 0 : LEFT],
    scales,
    axes,
    series: [{}, ...Array.from({ length: groups }, (_, i) => ({ scale: `y${i}`, paths: () => null, points: { show: false } }))],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      bind: {
        dblclick: () => () => {
          now.current.acts.reset();
          return null;
        },
      },
    },
    hooks: {
      draw: [(chart) => drawAll(chart, now.current)],
      setCursor: [(chart) => {
        const left = chart.cursor.left ?? -1;
        // It is called too when the scale moves below a mouse that rests.
        if (!chart.cursor.event || chart.cursor.event === heard) return;
        heard = chart.cursor.event;
        now.current.acts.point(left < 0 ? null : chart.posToVal(left, "x"));
      }],
      setSelect: [(chart) => {
        const { left, width: wide } = chart.select;
        if (wide > 4) now.current.acts.zoom(chart.posToVal(left, "x"), chart.posToVal(left + wide, "x"));
        if (wide) chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
      ready: [(chart) => chart.over.addEventListener("wheel", (event) => {
        event.preventDefault();
        const { from, to, acts } = now.current;
        const part = event.offsetX / chart.over.clientWidth;
        const long = (to - from) * (event.deltaY < 0 ? STEP : 1 / STEP);
        const at = from + part * (to - from);
        acts.zoom(at - part * long, at + (1 - part) * long);
      }, { passive: false })],
    },
  };
}

function drawAll(chart: uPlot, { groups, paint }: Given): void {
  const { left, top, width, height } = chart.bbox;
  groups.forEach((group, i) => {
    const place = { left, top, width, height, x: (time: number) => chart.valToPos(time, "x", true), y: (value: number) => chart.valToPos(value, `y${i}`, true) };
    for (const { track, colour } of group) drawTrack(chart.ctx, place, track, colour, paint);
  });
}
