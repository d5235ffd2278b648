// The same numbers and the same picture as files.
import type { Trends } from "../api";
import type { Paint } from "../paint";
import { sheet } from "../sheet";
import { t } from "../words";
import type { Drawn } from "./chart";
import { iso } from "../zone";

/** A line per row of the answer, as it was given: nothing is rounded; what is not known is empty. */
export function csv(answer: Trends): string {
  const rows = answer.lines.flatMap((line) =>
    line.time.map((time, i) => {
      const value = line.form === "words" ? line.text[i] : line.value[i];
      const numbers = [value, line.low[i], line.high[i], line.good[i], line.bad[i]].map((each) => (each === null || each === undefined ? "" : String(each)));
      return [iso(time), line.path, line.unit, ...numbers, `0x${(line.quality[i] as number).toString(16).toUpperCase().padStart(8, "0")}`, String(line.width / 1000)];
    }),
  );
  const head = ["time", "tag", "unit", "value", "min", "max", "good", "bad", "quality", "seconds"];
  return sheet([head, ...rows]);
}

export function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const nameOf = (answer: Trends, ending: string): string =>
  `trend_${iso(answer.start).slice(0, 16).replace(/[-:T]/g, "")}_${iso(answer.end).slice(0, 16).replace(/[-:T]/g, "")}.${ending}`;

/** Everything that is drawn, below a line that says what and when. */
export function picture(canvases: HTMLCanvasElement[], drawn: Drawn[], stretch: string, paint: Paint): Promise<Blob | null> {
  const { ratio } = paint;
  const [row, edge] = [20 * ratio, 12 * ratio];
  const head = edge + row * (drawn.length + 1);
  const made = document.createElement("canvas");
  made.width = Math.max(...canvases.map(({ width }) => width)) + edge;
  made.height = head + edge + canvases.reduce((sum, { height }) => sum + height, 0);
  const context = made.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = paint.card;
  context.fillRect(0, 0, made.width, made.height);
  context.font = paint.font;
  context.textBaseline = "middle";
  context.fillStyle = paint.soft;
  context.fillText(`${t("page.name")} · ${stretch}`, edge, edge + row / 2);
  drawn.forEach(({ track, colour }, i) => {
    const y = edge + row * (i + 1) + row / 2;
    context.fillStyle = colour;
    context.fillRect(edge, y - 2 * ratio, 16 * ratio, 4 * ratio);
    context.fillStyle = paint.text;
    context.fillText(`${track.line.path} ${track.line.unit}`, edge + 24 * ratio, y);
  });
  let top = head + edge / 2;
  for (const canvas of canvases) {
    context.drawImage(canvas, 0, top);
    top += canvas.height;
  }
  return new Promise((done) => made.toBlob(done, "image/png"));
}
