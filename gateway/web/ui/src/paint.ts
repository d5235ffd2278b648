// The style sheet's colours, for canvases.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { EnergyBand } from "./api";
import { useValue } from "./observable";
import { theme } from "./theme";

export type Band = EnergyBand["band"];
export const BANDS: Band[] = ["sharp", "peak", "flat", "valley", "deep_valley", "undecided"];

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

/** Look again when a person or the system chooses light or dark. */
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
