// A medium keeps one colour everywhere; a tariff band the grid's.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { EnergyBand } from "../api";
import { useValue } from "../observable";
import { theme } from "../theme";

export type Band = EnergyBand["band"];
export const BANDS: Band[] = ["sharp", "peak", "flat", "valley", "deep_valley", "undecided"];
const SERIES: Record<string, number> = { electricity: 1, natural: 5, steam: 2, heat: 2, water: 6, compressed: 3, production: 4 };

export interface Paint {
  ratio: number;
  text: string;
  soft: string;
  line: string;
  card: string;
  bad: string;
  font: string;
  series: string[];
  bands: Record<Band, string>;
  look: string;
}

export const colourOf = (medium: string, paint: Paint): string => paint.series[(SERIES[medium.split("_")[0] as string] ?? 7) - 1] ?? paint.text;

/** The style sheet's colours, for canvases. */
export function usePaint(): Paint {
  const chosen = useValue(theme);
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const heard = (): void => setDark(system.matches);
    system.addEventListener("change", heard);
    return () => system.removeEventListener("change", heard);
  }, []);
  return useMemo(() => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const ratio = window.devicePixelRatio || 1;
    return {
      ratio,
      text: colour("text"), soft: colour("soft"), line: colour("line"), card: colour("card"), bad: colour("bad"),
      font: `${12 * ratio}px ${style.fontFamily}`,
      series: Array.from({ length: 8 }, (_, i) => colour(`series-${i + 1}`)),
      bands: Object.fromEntries(BANDS.map((each) => [each, colour(`band-${each}`)])) as Record<Band, string>,
      look: `${chosen} ${dark}`,
    };
  }, [chosen, dark]);
}

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
