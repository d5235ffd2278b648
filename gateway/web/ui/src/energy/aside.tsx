// The figures of the period: the total and how sure it is, against what, by band, and by which factor.
import type { EnergyFigures, EnergyPlant } from "../api";
import { now } from "../feed";
import { figure } from "../format";
import { Mark } from "../parts";
import { language, t, unitWord, word } from "../words";
import { numberOf } from "./chart";
import { evidenceOf, share } from "./share";
import { exact, mostDecimals, padOf } from "./table";

/** Both sums over the intervals that have ended and are known in both. */
export function difference(found: EnergyFigures, past: EnergyFigures | null): number | null {
  if (!past || !found.adds) return null;
  let [mine, theirs] = [0, 0];
  found.rows.forEach((row, i) => {
    const [value, was] = [numberOf(row), numberOf(past.rows[i])];
    if (value === null || was === null || row.end > now()) return;
    mine += value;
    theirs += was;
  });
  return theirs > 0 ? mine / theirs - 1 : null;
}

export function Aside({ plant, found, past }: { plant: EnergyPlant; found: EnergyFigures; past: EnergyFigures | null }) {
  const { total } = found;
  const value = numberOf(total);
  const less = difference(found, past);
  const first = found.rows[0]?.start ?? 0;
  const last = found.rows.at(-1)?.end ?? 0;
  const shares = t("energy.shares", { measured: share(total.measured), estimated: share(total.estimated), manual: share(total.manual) });
  return (
    <section class="card totals" aria-label={t("energy.period")}>
      <div title={value === null ? undefined : shares}>
        <p class="note">{t(found.adds ? "energy.total" : found.metric === "demand" ? "energy.highest" : "energy.mean")}</p>
        <p class="big">{value === null ? "—" : figure(value, 4)} <small>{value === null ? "" : unitWord(found.unit)}</small></p>
        {value !== null && total.measured < 0.95 && <p class="weak"><Mark tone="look" /> {t("energy.weak", { part: share(total.measured) })}</p>}
        {value !== null && total.completeness < 0.9 && <p class="weak"><Mark tone="look" /> {t("energy.incomplete")}</p>}
        {less !== null && <p class="note">{t("energy.than", { part: `${less < 0 ? "−" : "+"}${Math.abs(less * 100).toFixed(1)} %` })}</p>}
      </div>
      <dl>
        <div><dt>{t("energy.measured")}</dt><dd>{value === null ? "—" : share(total.measured)}</dd></div>
        <div><dt>{t("energy.estimated")}</dt><dd>{value === null ? "—" : share(total.estimated)}</dd></div>
        <div><dt>{t("energy.manual")}</dt><dd>{value === null ? "—" : share(total.manual)}</dd></div>
        <div><dt>{t("energy.complete")}</dt><dd>{share(total.completeness)}</dd></div>
        <div><dt>{t("energy.revision")}</dt><dd>{total.revision}</dd></div>
        {found.unknown > 0 && <div><dt>{t("energy.unread")}</dt><dd>{t("energy.rows", { n: found.unknown })}</dd></div>}
      </dl>
      <div class="more">
        {found.band_costs.length > 0 && <Bands found={found} />}
        {found.charges.map((each) => (
          <p class="charge" key={each.bill + each.item}>{each.bill} {word("charge", each.item)} <b>{each.yuan === null ? "—" : exact(each.yuan)}</b> {unitWord("CNY")}</p>
        ))}
        {found.wanted.map((each) => <p class="wanted" key={each.choice + each.en}><Mark tone="look" /> {each[language.get()]}</p>)}
        {found.factors.map((each) => (
          <p class="factor" key={each.symbol + each.row}>{each.symbol} = {each.value} {each.unit === "1" ? "" : unitWord(each.unit)} <span class="note">{each.row} · <cite lang="en">{each.source}</cite> · {word("confidence", each.confidence)}</span></p>
        ))}
        {found.notes.length > 0 && <p class="note">{t("energy.tariff", { name: found.notes.join(", ") })}{plant.example ? ` · ${t("energy.examples")}` : ""}</p>}
        {value !== null && last > first && <p><a href={evidenceOf(found, first, last)} target="_blank" rel="noreferrer">{t("energy.evidence")}</a></p>}
      </div>
    </section>
  );
}

function Bands({ found }: { found: EnergyFigures }) {
  return (
    <table class="bandcosts">
      <thead><tr><th scope="col">{t("energy.band")}</th><th scope="col" class="num">kWh</th><th scope="col" class="num">{unitWord("CNY")}</th></tr></thead>
      <tbody>
        {found.band_costs.map((each) => (
          <tr key={each.band}>
            <th scope="row"><i class="band" style={{ background: `var(--band-${each.band})` }} />{word("band", each.band)}</th>
            <td class="num" data-pad={padOf(each.kwh, mostDecimals(found.band_costs.map((one) => one.kwh)))}>{exact(each.kwh)}</td>
            <td class="num" data-pad={padOf(each.yuan, mostDecimals(found.band_costs.map((one) => one.yuan)))}>{exact(each.yuan)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
