// The big figures: what the plant draws now and has taken today, each against earlier days and with its evidence.
import type { Today, TodayAgainst, TodayFigure, TodayOwn } from "../api";
import { evidenceOf, share } from "../energy/share";
import { clock, figure } from "../format";
import { Mark } from "../parts";
import { language, t, word } from "../words";
import { weekdayOf } from "../zone";

const NAMES = ["power", "energy", "cost", "coal", "co2"] as const;
type Name = (typeof NAMES)[number];
const VIEWS: Record<Name, string> = {
  power: "energy?metric=load&span=today", energy: "energy?metric=energy&span=today", cost: "energy?metric=cost&span=today",
  coal: "carbon?span=today", co2: "carbon?span=today",
};
const QUARTER = 900_000;
const WEAK = 0.95;
const INCOMPLETE = 0.9;

/** One unit for all of the view: tonnes of what the books have in kilograms. */
const sized = (name: Name, value: string): number => Number(value) / (name === "coal" || name === "co2" ? 1000 : 1);
const unitOf = (name: Name): string => ({ power: "kW", energy: "kWh", coal: "tce", cost: t("today.unit.cost"), co2: t("today.unit.co2") })[name];
const minutes = (time: number): string => clock(time).slice(0, 5);
export const percent = (part: number): string => `${part < 0 ? "−" : "+"}${Math.abs(part * 100).toFixed(1)} %`;

/** With own generation a figure of the supply is not all that is used: it says so itself. */
export const titleOf = (name: "power" | "energy" | "cost" | "coal" | "co2" | "curve", own: TodayOwn | null): string =>
  t(own?.measures === "taken" && (name === "power" || name === "energy" || name === "curve") ? `today.${name}.taken` : `today.${name}`);

export function Bigs({ today }: { today: Today }) {
  return (
    <section class="bigs" aria-label={t("today.figures")}>
      {NAMES.map((name) => {
        const found = today.figures.find((each) => each.name === name);
        return found ? <Big key={name} name={name} found={found} today={today} /> : <Empty key={name} name={name} />;
      })}
    </section>
  );
}

function Empty({ name }: { name: Name }) {
  return (
    <section class="card big-one">
      <h2>{t(`today.${name}`)}</h2>
      <p class="big"><b>…</b></p>
      <p class="note">{t("today.pending")}</p>
    </section>
  );
}

function Big({ name, found, today }: { name: Name; found: TodayFigure; today: Today }) {
  const { value } = found;
  const shares = t("energy.shares", { measured: share(found.measured), estimated: share(found.estimated), manual: share(found.manual) });
  return (
    <section class="card big-one" data-figure={name}>
      <div class="head">
        <h2><a href={`#/${VIEWS[name]}`}>{titleOf(name, today.own)}</a></h2>
        {value !== null && <Evidence name={name} found={found} today={today} />}
      </div>
      <p class="big" title={value === null ? undefined : shares}>
        <b>{value === null ? "—" : figure(sized(name, value), 4)}</b> <span>{unitOf(name)}</span>
        {value !== null && <span class="hidden">{shares}</span>}
      </p>
      {value !== null && <Hourly name={name} found={found} />}
      {value !== null && <About name={name} found={found} today={today} />}
      {value !== null && found.measured < WEAK && <p class="note weak"><Mark tone="look" /> {t("energy.weak", { part: share(found.measured) })}</p>}
      {value !== null && found.completeness < INCOMPLETE && <p class="note weak"><Mark tone="look" /> {t("energy.incomplete")}</p>}
      {found.doubts.map((each) => <p class="note weak" key={each}><Mark tone="look" /> {word("eflag", each)}</p>)}
      {value !== null && <Comparisons name={name} found={found} />}
      {found.wanted.slice(0, 1).map((each) => <p class="note lack" key={each.choice} title={each[language.get()]}>{each[language.get()]}</p>)}
      {value === null && found.wanted.length === 0 && <p class="note">{t(today.is_booked ? "today.unread" : "today.unbooked")}</p>}
    </section>
  );
}

/** What an hour takes now, and which media are not in it: their meters do not tell what is taken now. */
function Hourly({ name, found }: { name: Name; found: TodayFigure }) {
  const media = found.hourly_without.map((each) => each[language.get()]).join(language.get() === "zh" ? "、" : "; ");
  const without = t(found.hourly === null ? "today.hourly.unknown" : "today.hourly.without", { media });
  return (
    <>
      {found.hourly !== null && <p class="note hourly">{t("today.hourly", { value: figure(sized(name, found.hourly), 3), unit: unitOf(name) })}</p>}
      {media && <p class="note hourly" title={without}>{without}</p>}
    </>
  );
}

/** Of what time, and of which calibre. */
function About({ name, found, today }: { name: Name; found: TodayFigure; today: Today }) {
  const isQuarter = name === "power" && found.end - found.start >= QUARTER;
  if (isQuarter) return <p class="note about">{t("today.about.quarter", { from: minutes(found.start), to: minutes(found.end) })}</p>;
  if (name === "energy" && today.own) return <Own own={today.own} />;
  if (name === "cost" && today.example) return <p class="note about example" title={t("energy.example", { tariff: today.example })}>{t("today.about.example")}</p>;
  return <p class="note about">{t(`today.about.${name}`)}</p>;
}

/** What the site made itself and what was used in all, each with its view. */
function Own({ own }: { own: TodayOwn }) {
  const value = (text: string | null): string => (text === null ? "—" : figure(Number(text), 4));
  const view = (medium: string): string => `#/energy?medium=${medium}&metric=energy&span=today`;
  const what = t(`today.own.what.${own.measures}`);
  return (
    <>
      <p class="note own" title={what}>
        <span class="hidden">{what} </span>
        {own.is_generation_metered ? <a href={view("electricity_generation")}>{t("today.own.generated", { value: value(own.generated) })}</a> : t("today.own.no_generation")}
        {" · "}
        {own.is_feed_in_metered ? <a href={view("electricity_export")}>{t("today.own.fed_in", { value: value(own.fed_in) })}</a> : t("today.own.no_fed_in")}
      </p>
      <p class="note other" title={what}>{t(own.measures === "taken" ? "today.own.used" : "today.own.taken", { value: value(own.other) })}</p>
      {own.doubts.map((each) => <p class="note weak" key={each}><Mark tone="look" /> {word("eflag", each)}</p>)}
    </>
  );
}

function Evidence({ name, found, today }: { name: Name; found: TodayFigure; today: Today }) {
  if (name === "coal" || name === "co2") return <a class="note" href="#/carbon?span=today">{t("energy.evidence")}</a>;
  const first = name === "power" ? Math.floor((found.start + found.end) / 2 / QUARTER) * QUARTER : found.start;
  const last = name === "power" ? first + QUARTER : found.end;
  return <a class="note" href={evidenceOf({ subject: today.site, medium: "electricity" }, first, last)} target="_blank" rel="noreferrer">{t("energy.evidence")}</a>;
}

function Comparisons({ name, found }: { name: Name; found: TodayFigure }) {
  if (name !== "power" && found.so_far === null) return <p class="note">{t("today.early")}</p>;
  return <>{found.against.map((each) => <Comparison key={each.day} name={name} found={found} past={each} />)}</>;
}

function Comparison({ name, found, past }: { name: Name; found: TodayFigure; past: TodayAgainst }) {
  const weekday = word("weekday", String(weekdayOf(found.end - 1)));
  if (past.value === null) return <p class="note">{t(`today.lacks.${past.day}`, { weekday })}</p>;
  const then = figure(sized(name, past.value), 4);
  const part = past.part === null ? "—" : percent(past.part);
  const so_far = found.so_far ?? found.value;
  const said = t("today.was", { until: minutes(found.until), so_far: so_far === null ? "—" : figure(sized(name, so_far), 4), then, unit: unitOf(name) });
  return (
    <p class="note" title={said}>
      {t(`today.${name === "power" ? "at" : "than"}.${past.day}`, { weekday, part })}
      <span class="hidden"> {said}</span>
    </p>
  );
}
