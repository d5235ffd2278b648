// A report is ordered: of what, of which time, how it is cut, in which language and form; and watched while it is made.
import { useEffect, useState } from "preact/hooks";
import type { ReportJob } from "../api";
import { ask, now, state } from "../feed";
import { figure } from "../format";
import { useValue } from "../observable";
import { Card } from "../parts";
import { route } from "../route";
import { change } from "../session";
import { dayOf } from "../zone";
import { language, t, word } from "../words";

const KINDS = ["ledger", "carbon", "networking"] as const;
const ENDINGS = ["xlsx", "pdf"] as const;
const WORDINGS = ["zh", "en", "both"] as const;
const PERIODS = ["last_month", "month", "last_year", "year", "yesterday", "days"] as const;
type Period = (typeof PERIODS)[number];
const EVERY = ["15min", "60min", "day", "week", "month", "shift", "billing"] as const;
const WATCH = 400;

/** What the gateway calls a period, in the plant's own days. */
function named(period: Period, first: string, last: string): string {
  const today = dayOf(now());
  const [year = 0, month = 1, day = 1] = today.split("-").map(Number);
  const at = (y: number, m: number, d: number): string => new Date(Date.UTC(y, m - 1, d)).toISOString().slice(0, 10);
  if (period === "month") return today.slice(0, 7);
  if (period === "last_month") return at(year, month - 1, 1).slice(0, 7);
  if (period === "year") return String(year);
  if (period === "last_year") return String(year - 1);
  if (period === "yesterday") return at(year, month, day - 1);
  return first === last ? first : `${first}..${last}`;
}

export function Order({ running, made }: { running: ReportJob | null; made: () => void }) {
  const at = useValue(route);
  const isKnown = useValue(state) !== null;
  const [from, to] = [at.query.get("from") ?? "", at.query.get("to") ?? ""];
  const [kind, take] = useState<string>(KINDS[0]);
  const [period, span] = useState<Period>(from ? "days" : "month");
  const [first, begin] = useState(from);
  const [last, end] = useState(to);
  const [every, cut] = useState("");
  const [wording, say] = useState<string>(language.get());
  const [ending, write] = useState<string>(ENDINGS[0]);
  const [job, show] = useState<ReportJob | null>(null);
  const [error, fail] = useState("");
  const shown = job ?? running;
  const runs = shown?.state === "gathering" || shown?.state === "writing";

  useEffect(() => {
    if (!shown || !runs) return;
    const stop = new AbortController();
    const timer = window.setTimeout(() => {
      ask<ReportJob>(`reports/${shown.number}`, {}, stop.signal).then(
        (found) => {
          show(found);
          if (found.state === "done") made();
        },
        (reason: Error) => {
          if (stop.signal.aborted) return;
          show(null);
          fail(reason.message);
        },
      );
    }, WATCH);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [shown, runs]);

  function order(event: Event): void {
    event.preventDefault();
    fail("");
    show(null);
    const what = { kind, period: named(period, first, last), interval: every || null, language: wording, ending };
    change<ReportJob>("POST", "reports", what).then(show, (reason: Error) => fail(reason.message));
  }

  const today = isKnown ? dayOf(now()) : undefined;
  return (
    <Card title={t("reports.order")} note={t("reports.whole")}>
      <form class="order" aria-label={t("reports.order")} onSubmit={order}>
        <Pick label={t("reports.report")} names={KINDS} is={kind} nameOf={(each) => word("report", each)} take={take} />
        <Pick label={t("reports.period")} names={PERIODS} is={period} nameOf={(each) => word("reports.of", each)} take={(each) => span(each as Period)} />
        {period === "days" && (
          <>
            <label>{t("reports.first")} <input type="date" required max={last || today} value={first} onInput={(event) => begin(event.currentTarget.value)} /></label>
            <label>{t("reports.last")} <input type="date" required min={first} max={today} value={last} onInput={(event) => end(event.currentTarget.value)} /></label>
          </>
        )}
        {kind === "ledger" && <Pick label={t("energy.every")} names={["", ...EVERY]} is={every} nameOf={(each) => (each ? word("every", each) : t("reports.by_length"))} take={cut} />}
        <Pick label={t("reports.language")} names={WORDINGS} is={wording} nameOf={(each) => word("wording", each)} take={say} />
        <Pick label={t("reports.form")} names={ENDINGS} is={ending} nameOf={(each) => word("ending", each)} take={write} />
        <button type="submit" class="do" disabled={runs || !isKnown}>{t("reports.make")}</button>
      </form>
      {kind === "networking" && <p class="said-here note">{t("reports.no_equipment")}</p>}
      <div role="status">
        {runs && shown && (
          <p class="said-here">
            <progress {...(shown.total ? { max: shown.total, value: Math.min(shown.rows, shown.total) } : {})} aria-label={word("report", shown.state)} />{" "}
            {word("report", shown.state)} {t("report.rows", { n: figure(shown.rows, 6) })}
          </p>
        )}
        {job?.state === "done" && (
          <p class="said-here">
            <a class="button" href={`api/reports/${job.number}/file`} download={job.name}>{t("report.fetch", { name: job.name })}</a>
          </p>
        )}
        {job?.state === "failed" && <p class="notice">{job[language.get()] || t("report.failed")}</p>}
        {error && <p class="notice">{error}</p>}
      </div>
    </Card>
  );
}

function Pick({ label, names, is, nameOf, take }: { label: string; names: readonly string[]; is: string; nameOf: (name: string) => string; take: (name: string) => void }) {
  return (
    <label>
      {label}{" "}
      <select value={is} onChange={(event) => take(event.currentTarget.value)}>
        {names.map((each) => <option key={each} value={each}>{nameOf(each)}</option>)}
      </select>
    </label>
  );
}
