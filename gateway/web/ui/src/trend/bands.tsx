// Text, and what is on or off: a band each, on the charts' own axis of time.
import { useEffect, useRef } from "preact/hooks";
import type { Paint } from "../paint";
import { LEFT, RIGHT, type Drawn } from "./chart";
import { drawBand } from "./draw";
import type { Track } from "./shape";
import { t } from "../words";

export const BAND = 28;

/** What a row says; null where nothing is known. */
export function wordOf(track: Track): (i: number) => string | null {
  if (track.line.form === "words") return (i) => track.text[i] ?? null;
  return (i) => {
    const value = track.y[i] ?? null;
    if (value === null) return null;
    return track.low[i] === track.high[i] ? t(value ? "value.true" : "value.false") : t("trend.both");
  };
}

export interface Axis {
  from: number;
  to: number;
  width: number;
  /** A second axis takes its room on the right. */
  right: boolean;
}

export function Bands({ drawn, axis, paint, cursor, point, kept }: { drawn: Drawn[]; axis: Axis; paint: Paint; cursor: number | null; point: (time: number | null) => void; kept: (canvas: HTMLCanvasElement | null) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { from, to, width, right } = axis;
  const wide = width - LEFT - (right ? LEFT : RIGHT);
  const height = drawn.length * BAND;
  useEffect(() => {
    kept(canvas.current);
    return () => kept(null);
  }, []);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const { ratio } = paint;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    drawn.forEach(({ track, colour }, i) => {
      const place = {
        left: LEFT * ratio, top: (i * BAND + 3) * ratio, width: wide * ratio, height: (BAND - 6) * ratio,
        x: (time: number) => (LEFT + ((time - from) / (to - from)) * wide) * ratio,
        y: () => 0,
      };
      drawBand(context, place, track, wordOf(track), colour, paint);
    });
  });
  const at = cursor === null ? null : LEFT + ((cursor - from) / (to - from)) * wide;
  return (
    <div
      class="bands"
      style={{ height: `${height}px` }}
      onMouseMove={(event) => {
        const part = (event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT) / wide;
        point(part < 0 || part > 1 ? null : from + part * (to - from));
      }}
      onMouseLeave={() => point(null)}
    >
      <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} />
      {drawn.map(({ track }, i) => (
        <span class="label" key={track.line.path} style={{ top: `${i * BAND}px` }} title={track.line.path}>{track.line.path.slice(track.line.path.lastIndexOf("/") + 1)}</span>
      ))}
      {at !== null && at >= LEFT && at <= LEFT + wide && <i class="line" style={{ left: `${at}px` }} />}
    </div>
  );
}
