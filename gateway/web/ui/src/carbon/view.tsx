// How much, by which factor, and how sure? Scopes and calibres side by side; what is not chosen is said.
import { useEffect, useState } from "preact/hooks";
import type { CarbonBatches, CarbonFigure, CarbonKept, CarbonLine, CarbonReport, EnergyPlant } from "../api";
import { now, state, watch } from "../feed";
import { between, figure, moment } from "../format";
import { useValue } from "../observable";
import { Card, Failed, Loading, Mark, Wide } from "../parts";
import { route } from "../route";
import { download } from "../trend/save";
import { Stretch } from "../trend/stretch";
import { language, t, unitWord, word } from "../words";
import { useAnswer } from "../energy/data";
import { boundsOf, periodInAddress, periodOf, SPANS, spoken, wholeDays } from "../energy/period";
import { share } from "../energy/share";
import { exact } from "../energy/table";
import "../energy/energy.css";
import "./carbon.css";

export default function CarbonView() {
  const isKnown = useValue(state) !== null;
  useEffect(() => watch([], false), []);
  const { answer: plant, error, again } = useAnswer<EnergyPlant>("energy", isKnown ? {} : null);
  if (error) return <Failed reason={error} retry={again} view={t("nav.carbon")} />;
  if (!plant) return <Loading />;
  if (!plant.meters.length) return <><h1>{t("nav.carbon")}</h1><p class="empty">{t("energy.none")}</p></>;
  return <Carbon plant={plant} />;
}

function Carbon({ plant }: { plant: EnergyPlant }) {
  const at = useValue(route);
  const speaks = useValue(language);
  const node = at.query.get("at") || plant.site;
  const period = periodOf(at.query);
  const [from, to] = boundsOf(period, now(), plant.billing_day);
  const { answer: report, error, again } = useAnswer<CarbonReport>("carbon", { node, start: from, end: to }, now() < to ? 60_000 : 0);
  const href = (changes: Record<string, string>): string => {
    const query = { at: node, ...periodInAddress(period), ...changes };
    return `#/carbon?${new URLSearchParams(Object.entries(query).filter(([name, value]) => value && !(changes.span && ["from", "to"].includes(name))))}`;
  };
  const medium = (name: string): string => plant.media.find((each) => each.name === name)?.[speaks] ?? name;
  // What stands in a sum is what was used of it; what was generated in all is with Energy.
  const inSum = (name: string): string => (name === "electricity_generation" ? t("carbon.own_use") : medium(name));
  const of = (kind: CarbonFigure["kind"]): CarbonFigure | undefined => report?.figures.find((each) => each.kind === kind);
  const save = (): void => {
    if (report) download(new Blob([JSON.stringify(report, null, 2)], { type: "application/json" }), `carbon_${node.replace(/[^\w.-]+/g, "_")}_${from}_${to}.json`);
  };
  return (
    <div class="carbon">
      <h1>{t("nav.carbon")}</h1>
      <div class="tools">
        <label class="picker">
          {t("carbon.node")}
          <select value={node} onChange={(event) => (location.hash = href({ at: event.currentTarget.value }))}>
            {plant.places.filter((each) => each.media.some((name) => !name.startsWith("production"))).map((each) => (
              <option key={each.path} value={each.path}>{each.path === plant.site ? t("energy.site", { site: plant.site }) : each.path.slice(plant.site.length + 1)}</option>
            ))}
          </select>
        </label>
        <div class="choices" role="group" aria-label={t("trend.period")}>
          {SPANS.map((each) => <a key={each} href={href({ span: each })} aria-current={"span" in period && period.span === each ? "true" : undefined}>{word("span", each)}</a>)}
        </div>
        <Stretch from={from} to={to} isChosen={!("span" in period)} look={(start, end) => (location.hash = href({ ...periodInAddress(wholeDays(start, end)), span: "" }))} />
        <span class="note">{spoken(from, to)} · {state.get()?.strip.zone}</span>
        <span class="space" />
        <button type="button" disabled={!report} onClick={save}>JSON</button>
      </div>
      {error && <Failed reason={error} retry={again} />}
      {!report && !error && <Loading />}
      {report && <Known report={report} medium={medium} />}
      {report && (
        <>
          <Card title={t("carbon.inventory")} note={t("carbon.never")}>
            <div class="scopes">
              <Scope title={t("carbon.scope1")} told={of("co2_direct")} medium={inSum} />
              <Scope title={t("carbon.scope2.location")} told={of("co2_location")} medium={inSum} />
              <Scope title={t("carbon.scope2.market")} told={of("co2_market")} medium={inSum} />
            </div>
            <dl class="sums">
              <div><dt>{t("carbon.total.location")}</dt><dd>{total(report.total_location)}</dd></div>
              <div><dt>{t("carbon.total.market")}</dt><dd>{total(report.total_market)}</dd></div>
            </dl>
          </Card>
          <Card title={t("carbon.coal")} note={t("carbon.calibres")}>
            <div class="scopes">
              <Scope title={word("metric", "coal_equivalent")} told={of("coal_equivalent")} medium={medium} />
              <Scope title={word("metric", "coal_primary")} told={of("coal_primary")} medium={medium} />
            </div>
          </Card>
          <Intensities report={report} />
          <Versions node={node} from={from} to={to} medium={medium} />
          <Batches node={node} from={from} to={to} medium={medium} />
        </>
      )}
    </div>
  );
}

const total = (value: string | null) => (value === null ? t("carbon.lacking") : `${exact(value)} kgCO₂`);
const unitOf = (unit: string): string => unit.replace("CO2", "CO₂");

/** Of how many days each medium is known; a figure of some days says so beside it. */
function Known({ report, medium }: { report: CarbonReport; medium(name: string): string }) {
  const lacking = report.media.map((name, i) => ({ name, n: report.known[i] ?? 0 })).filter(({ n }) => n < report.days);
  if (!lacking.length) return null;
  return (
    <p class="notice" role="note">
      <Mark tone="look" /> {t("carbon.days", { days: report.days, which: lacking.map(({ name, n }) => t("carbon.known", { medium: medium(name), n })).join(t("figure.comma")) })}
    </p>
  );
}

function Scope({ title, told, medium }: { title: string; told: CarbonFigure | undefined; medium(name: string): string }) {
  const [open, show] = useState(false);
  if (!told) return null;
  const value = told.value === null ? null : Number(told.value);
  const shares = told.measured === null ? "" : t("energy.shares", { measured: share(told.measured), estimated: share(told.estimated ?? 0), manual: share(told.manual ?? 0) });
  return (
    <section class="scope" aria-label={title}>
      <h3>{title}</h3>
      <p class="big" title={shares}>{value === null ? "—" : figure(value, 4)} <small>{value === null ? "" : unitOf(told.unit)}</small></p>
      {value !== null && told.lines.length === 0 && <p class="note">{t("carbon.nothing")}</p>}
      {value !== null && told.lines.length > 0 && <p class="note">{shares}{told.confidence ? ` · ${word("confidence", told.confidence)}` : ""}</p>}
      {told.measured !== null && told.lines.length > 0 && told.measured < 0.95 && <p class="weak"><Mark tone="look" /> {t("energy.weak", { part: share(told.measured) })}</p>}
      {told.wanted.map((each) => <p class="wanted" key={each.choice + each.en}><Mark tone="look" /> {each[language.get()]}</p>)}
      {told.lines.map((line, i) => <Sum key={i} line={line} medium={medium} unit={told.unit} />)}
      {told.lines.length > 0 && <button type="button" class="more" aria-expanded={open} onClick={() => show(!open)}>{t("carbon.arithmetic")}</button>}
      {open && told.lines.map((line, i) => <Arithmetic key={i} line={line} unit={told.unit} />)}
    </section>
  );
}

/** One medium: its amount and its part, and under it the factor with source and year. */
function Sum({ line, medium, unit }: { line: CarbonLine; medium(name: string): string; unit: string }) {
  return (
    <div class="sum">
      <p><span>{medium(line.medium)} {exact(line.amount)} {unitWord(line.unit)}</span><b>{figure(Number(line.value), 4)} {unitOf(unit)}</b></p>
      {line.used.map((each) => (
        <p class="factor" key={each.symbol + each.row}>
          {each.symbol} = {each.value} {each.unit === "1" ? "" : unitOf(each.unit)}
          <span class="note"> {each.row} · <cite lang="en">{each.instrument && `${each.instrument} · `}{each.source}</cite> · {word("confidence", each.confidence)}</span>
        </p>
      ))}
    </div>
  );
}

function Arithmetic({ line, unit }: { line: CarbonLine; unit: string }) {
  const rule = language.get() === "zh" ? line.rule_zh : line.rule_en;
  return (
    <p class="note arithmetic">
      {line.formula}: {exact(line.amount)} {unitWord(line.unit)} × {line.factor} = {exact(line.value)} {unitOf(unit)}{rule ? ` · ${rule}` : ""}
    </p>
  );
}

function Intensities({ report }: { report: CarbonReport }) {
  if (!report.intensities.length) return <Card title={t("carbon.intensity")}><p class="empty">{t("carbon.no_output")}</p></Card>;
  return (
    <Card title={t("carbon.intensity")} note={t("carbon.per")}>
      <Wide label={t("carbon.intensity")}><table>
        <thead><tr><th scope="col">{t("carbon.counter")}</th><th scope="col" class="num">{t("carbon.output")}</th><th scope="col">{t("energy.metric")}</th><th scope="col" class="num">{t("carbon.ratio")}</th></tr></thead>
        <tbody>
          {report.intensities.map((each) => (
            <tr key={each.meter + each.kind}>
              <th scope="row">{each.meter}</th>
              <td class="num">{exact(each.output)} {word("unit", each.output_unit)}</td>
              <td>{word("carbon.kind", each.kind)}</td>
              <td class="num">{exact(each.value)} {unitOf(each.unit.split("/")[0] ?? "")}/{word("unit", each.output_unit)}</td>
            </tr>
          ))}
        </tbody>
      </table></Wide>
    </Card>
  );
}

/** Results that say something else than they once did: both, and what lies between them by term. */
function Versions({ node, from, to, medium }: { node: string; from: number; to: number; medium(name: string): string }) {
  const { answer } = useAnswer<CarbonKept>("carbon/kept", { node, start: from, end: to });
  if (!answer) return null;
  const short = (rows: string[]): string => rows.map((row) => row.split(" ")[0]).join(", ");
  return (
    <Card title={t("carbon.kept")} note={t("carbon.kept_note", { n: answer.kept })}>
      {!answer.changed.length ? <p class="empty">{t(answer.kept ? "carbon.kept_same" : "carbon.kept_none")}</p> : (
        <Wide label={t("carbon.kept")}><table>
          <thead><tr><th scope="col">{t("energy.metric")}</th><th scope="col">{t("energy.time")}</th><th scope="col">{t("carbon.made")}</th><th scope="col" class="num">{t("carbon.result")}</th><th scope="col">{t("carbon.because")}</th></tr></thead>
          <tbody>
            {answer.changed.flatMap((each) => each.versions.map((one, i) => (
              <tr key={each.kind + each.start + one.revision}>
                {i === 0 && <th scope="row" rowSpan={each.versions.length}>{word("carbon.of", each.kind)}</th>}
                {i === 0 && <td rowSpan={each.versions.length}>{spoken(each.start, each.end)}</td>}
                <td>{one.revision} · {moment(one.made)}</td>
                <td class="num">{figure(Number(one.value), 7)} {unitOf(one.unit)}</td>
                <td>
                  {i === 0 ? short(one.rows) : t("carbon.differs", { amount: signed(one.difference) })}
                  {i > 0 && one.terms === null && <span class="note"> {t("carbon.cut")}</span>}
                  {one.terms?.map((term) => (
                    <span class="note term" key={term.medium + term.new.join()}>
                      {medium(term.medium)}: {t("carbon.by_factor", { amount: signed(term.by_factor) })} ({short(term.old)} → {short(term.new)}){Number(term.by_amount) ? `, ${t("carbon.by_amount", { amount: signed(term.by_amount) })}` : ""}
                    </span>
                  ))}
                </td>
              </tr>
            )))}
          </tbody>
        </table></Wide>
      )}
    </Card>
  );
}

const signed = (value: string): string => `${value.startsWith("-") ? "−" : "+"}${exact(value.replace("-", ""))}`;

function Batches({ node, from, to, medium }: { node: string; from: number; to: number; medium(name: string): string }) {
  const { answer } = useAnswer<CarbonBatches>("carbon/batches", { node, start: from, end: to });
  return (
    <Card title={t("carbon.footprint")} note={t("carbon.gate")}>
      {!answer?.batches.length ? <p class="empty">{t("carbon.no_batch")}</p> : (
        <Wide label={t("carbon.footprint")}><table>
          <thead><tr><th scope="col">{t("carbon.batch")}</th><th scope="col">{t("energy.time")}</th><th scope="col" class="num">{t("carbon.output")}</th><th scope="col" class="num">kgCO₂e</th><th scope="col" class="num">{t("carbon.ratio")}</th><th scope="col" class="num">{t("carbon.share")}</th><th scope="col">{t("carbon.factor")}</th><th scope="col">{t("carbon.export")}</th></tr></thead>
          <tbody>
            {answer.batches.map((each) => (
              <tr key={each.node + each.start}>
                <th scope="row">{each.name}{each.product ? ` · ${each.product}` : ""}<span class="note"> {each.identifier || (each.node === node ? "" : each.node.split("/").slice(1).join("/"))}</span></th>
                <td>{between(each.start, each.end)}</td>
                <td class="num">{each.amount ? `${exact(each.amount)} ${word("unit", each.unit)}` : "—"}</td>
                <td class="num">{each.figure.value === null ? "—" : figure(Number(each.figure.value), 5)}</td>
                <td class="num">{each.per_unit === null ? "—" : `${figure(Number(each.per_unit), 4)} kgCO₂e/${word("unit", each.unit)}`}</td>
                <td class="num" title={each.upstream ? t("carbon.upstream", { amount: each.upstream, source: each.upstream_source }) : t("carbon.no_upstream")}>{each.share === null ? "—" : share(each.share)}</td>
                <td>
                  {[...new Set(each.figure.lines.flatMap((line) => line.used.filter((used) => used.symbol !== "GWP").map((used) => used.row)))].join(", ")}
                  {each.figure.wanted.map((lack) => <span class="wanted" key={lack.choice}><Mark tone="look" /> {lack[language.get()]}</span>)}
                  {each.left_out.length > 0 && <span class="note"> {t("carbon.left_out", { media: each.left_out.map(medium).join(t("figure.comma")) })}</span>}
                </td>
                <td><a href={`api/carbon/footprint?${new URLSearchParams({ node: each.node, start: String(each.start), language: language.get() })}`} download>JSON</a></td>
              </tr>
            ))}
          </tbody>
        </table></Wide>
      )}
    </Card>
  );
}
