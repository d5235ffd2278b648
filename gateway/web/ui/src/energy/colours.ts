// A medium keeps one colour everywhere; estimated and entered parts keep their pattern.
import type { Paint } from "../paint";

const SERIES: Record<string, number> = { electricity: 1, natural: 5, steam: 2, heat: 2, water: 6, compressed: 3, production: 4 };

export const colourOf = (medium: string, paint: Paint): string => paint.series[(SERIES[medium.split("_")[0] as string] ?? 7) - 1] ?? paint.text;

/** Diagonal lines, or dots, on a ground of its own: what is estimated, and what people entered. */
export function pattern(kind: "hatched" | "dotted", colour: string, paint: Paint): CanvasPattern | string {
  const size = Math.round(6 * paint.ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const context = tile.getContext("2d");
  if (!context) return colour;
  context.fillStyle = paint.card;
  context.fillRect(0, 0, size, size);
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.6 * paint.ratio;
  if (kind === "hatched") {
    context.beginPath();
    for (const at of [-size, 0, size]) {
      context.moveTo(at - 1, size + 1);
      context.lineTo(at + size + 1, -1);
    }
    context.stroke();
  } else {
    context.beginPath();
    context.arc(size / 2, size / 2, 1.4 * paint.ratio, 0, 2 * Math.PI);
    context.fill();
  }
  return context.createPattern(tile, "repeat") ?? colour;
}
