// The same numbers as a table, to the last digit, with what each is worth; and as a file.
import { useState } from "preact/hooks";
import type { EnergyFigures, EnergyRow } from "../api";
import { date, moment } from "../format";
import { sheet } from "../sheet";
import { iso } from "../zone";
import { t, unitWord, word } from "../words";
import { evidenceOf, share } from "./share";

const PAGE = 100;

/** All digits there are, thousands grouped, a real minus sign. */
export function exact(value: string | null): string {
  if (value === null) return "—";
  const [whole = "", part = ""] = value.replace("-", "").split(".");
  const digits = part.replace(/0+$/, "");
  return `${value.startsWith("-") ? "−" : ""}${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${digits ? `.${digits}` : ""}`;
}

const decimals = (value: string | null): number => exact(value).split(".")[1]?.length ?? 0;
export const mostDecimals = (column: (string | null)[]): number => Math.max(0, ...column.map(decimals));

/** What a figure lacks behind its point, drawn without being seen: the points of a column stand below each other. */
export function padOf(value: string | null, most: number): string | undefined {
  const mine = decimals(value);
  return value === null || mine === most ? undefined : `${mine ? "" : "."}${"0".repeat(most - mine)}`;
}

export const flagsOf = (row: EnergyRow): string => row.flags.map((each) => word("eflag", each)).join(t("figure.comma"));

export function Figures({ found, past, cursor }: { found: EnergyFigures; past: EnergyFigures | null; cursor: number | null }) {
  const [many, show] = useState(PAGE);
  const rows = found.rows.map((row, i) => ({ row, i })).reverse();
  const seen = rows.slice(0, many);
  const most = mostDecimals([found.total.value, ...seen.map(({ row }) => row.value)]);
  const mostPast = past ? mostDecimals([past.total.value, ...seen.map(({ i }) => past.rows[i]?.value ?? null)]) : 0;
  return (
    <div class="scroller" role="region" tabIndex={0} aria-label={t("energy.caption")}>
      <table>
        <caption class="hidden">{t("energy.caption")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("energy.time")}</th>
            <th scope="col" class="num">{word("metric", found.metric)} {unitWord(found.unit)}</th>
            {past && <th scope="col" class="num">{t("energy.before")} {unitWord(found.unit)}</th>}
            <th scope="col" class="num">{t("energy.measured")}</th>
            <th scope="col" class="num">{t("energy.estimated")}</th>
            <th scope="col" class="num">{t("energy.manual")}</th>
            <th scope="col" class="num">{t("energy.complete")}</th>
            <th scope="col" class="num">{t("energy.revision")}</th>
            <th scope="col">{t("energy.flags")}</th>
            <th scope="col">{t("energy.evidence")}</th>
          </tr>
        </thead>
        <tbody>
          <Line row={found.total} found={found} label={t(found.adds ? "energy.total" : found.metric === "demand" ? "energy.highest" : "energy.mean")} isTotal past={past ? past.total.value : undefined} most={most} mostPast={mostPast} />
          {seen.map(({ row, i }) => (
            <Line key={row.start} row={row} found={found} label={label(row)} isChosen={i === cursor} past={past ? (past.rows[i]?.value ?? null) : undefined} most={most} mostPast={mostPast} />
          ))}
        </tbody>
      </table>
      {rows.length > many && <button type="button" class="more" onClick={() => show(many + PAGE)}>{t("energy.more", { n: rows.length - many })}</button>}
    </div>
  );
}

/** A day by its date, a part of one by when it begins. */
function label(row: EnergyRow): string {
  if (/^\d{4}-\d\d-\d\d$/.test(row.label)) return date(row.start);
  return !row.label || /^\d{4}-\d\d-\d\dT/.test(row.label) ? moment(row.start).replace(/:00$/, "") : row.label;
}

function Line({ row, found, label: name, past, most, mostPast, isTotal, isChosen }: { row: EnergyRow; found: EnergyFigures; label: string; past?: string | null; most: number; mostPast: number; isTotal?: boolean; isChosen?: boolean }) {
  const unknown = row.value === null;
  return (
    <tr class={`${isTotal ? "total" : ""} ${isChosen ? "chosen" : ""}`}>
      <th scope="row">{name}</th>
      <td class="num" data-pad={padOf(row.value, most)} title={row.at_least !== null ? t("energy.between", { least: exact(row.at_least), most: exact(row.at_most) }) : undefined}>{unknown ? t("energy.unknown") : exact(row.value)}</td>
      {past !== undefined && <td class="num" data-pad={padOf(past, mostPast)}>{exact(past)}</td>}
      <td class="num">{unknown ? "—" : share(row.measured)}</td>
      <td class="num">{unknown ? "—" : share(row.estimated)}</td>
      <td class="num">{unknown ? "—" : share(row.manual)}</td>
      <td class="num">{share(row.completeness)}</td>
      <td class="num">{row.revision}</td>
      <td>{flagsOf(row)}{row.closed ? ` ${t("energy.closed")}` : ""}</td>
      <td>{!unknown && <a href={evidenceOf(found, row.start, row.end)} target="_blank" rel="noreferrer">{t("energy.see")}</a>}</td>
    </tr>
  );
}

/** Every figure as it was answered: nothing is rounded; what is not known is empty. */
export function csv(found: EnergyFigures): string {
  const head = ["from", "to", "label", found.metric, "unit", "at_least", "at_most", "measured", "estimated", "manual", "completeness", "revision", "flags", "closed"];
  const rows = found.rows.map((row) => [
    iso(row.start), iso(row.end), row.label, row.value ?? "", found.unit, row.at_least ?? "", row.at_most ?? "",
    ...[row.measured, row.estimated, row.manual, row.completeness].map((each) => each.toFixed(4)),
    String(row.revision), row.flags.join(" "), String(row.closed),
  ]);
  return sheet([head, ...rows]);
}
