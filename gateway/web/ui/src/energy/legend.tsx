// What the chart's marks mean: bands with their hours, what is estimated, entered or missing.
import type { EnergyBand, EnergyFigures } from "../api";
import { BANDS } from "../paint";
import { dayOf, inField } from "../zone";
import { t, word } from "../words";
import { bandsOf } from "./chart";

/** A band's hours on the newest day of the chart that has begun, as 08:00–12:00. */
export function hoursOf(bands: EnergyBand[], band: EnergyBand["band"]): string[] {
  const days = [...new Set(bands.map(({ start }) => dayOf(start)))];
  const day = days.at(-1);
  const clock = (time: number): string => inField(time).slice(11, 16).replace(/^00:00$/, "24:00");
  return bands
    .filter((each) => each.band === band && (dayOf(each.start) === day || dayOf(each.end - 1) === day))
    .map(({ start, end }) => `${dayOf(start) === day ? inField(start).slice(11, 16) : "00:00"}–${dayOf(end - 1) === day ? clock(end) : "24:00"}`);
}

export function Legend({ found, past, steps, colour, before = t("energy.before") }: { found: EnergyFigures; past: EnergyFigures | null; steps: boolean; colour: string; before?: string }) {
  const shown = bandsOf(found);
  const bands = BANDS.filter((each) => shown.some(({ band }) => band === each));
  const has = (part: "estimated" | "manual"): boolean => found.rows.some((row) => row.value !== null && row.measured < 0.95 && (part === "manual") === row.manual > row.estimated);
  // What comes after the newest figure has not been yet.
  const known = found.rows.filter((row) => row.value !== null);
  const hasGap = known.length > 0 && found.rows.indexOf(known[known.length - 1]!) >= known.length;
  return (
    <ul class="marks" aria-label={t("energy.legend")}>
      <li><i class="swatch" style={{ background: colour }} />{t("energy.measured")}</li>
      {has("estimated") && <li><i class={steps ? "dashed" : "hatched"} style={{ color: colour }} />{t("energy.estimated")}</li>}
      {has("manual") && <li><i class="dotted" style={{ color: colour }} />{t("energy.manual")}</li>}
      {hasGap && <li><i class="missing" />{t("energy.gap")}</li>}
      {past && <li><i class="swatch past" />{before}</li>}
      {bands.map((each) => (
        <li key={each}><i class="band" style={{ background: `var(--band-${each})` }} />{word("band", each)} <span class="note">{hoursOf(shown, each).flatMap((hours, i) => [i > 0 && ", ", <span key={hours}>{hours}</span>])}</span></li>
      ))}
    </ul>
  );
}
