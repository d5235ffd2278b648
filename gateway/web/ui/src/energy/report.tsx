// A report of the period that is looked at: ordered, watched while it is made, fetched.
import { useEffect, useState } from "preact/hooks";
import type { ReportJob } from "../api";
import { ask } from "../feed";
import { figure } from "../format";
import { inField } from "../trend/range";
import { language, t, word } from "../words";
import type { Choice } from "./view";

const KINDS = ["ledger", "carbon", "networking"] as const;
const ENDINGS = ["xlsx", "pdf"] as const;
const WORDINGS = ["zh", "en", "both"] as const;
const WATCH = 400;

export function Report({ choice }: { choice: Choice }) {
  const [kind, take] = useState<string>(KINDS[0]);
  const [wording, say] = useState<string>(language.get());
  const [job, show] = useState<ReportJob | null>(null);
  const [error, fail] = useState("");
  const first = inField(choice.from).slice(0, 10);
  const last = inField(choice.to - 1).slice(0, 10);
  const runs = job?.state === "gathering" || job?.state === "writing";

  useEffect(() => {
    if (!job || !runs) return;
    const stop = new AbortController();
    const timer = window.setTimeout(() => {
      ask<ReportJob>(`reports/${job.number}`, {}, stop.signal).then(show, (reason: Error) => {
        if (stop.signal.aborted) return;
        show(null);
        fail(reason.message);
      });
    }, WATCH);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [job, runs]);

  function order(ending: string): void {
    fail("");
    const period = first === last ? first : `${first}..${last}`;
    ask<ReportJob>("reports/order", { kind, period, language: wording, ending }, new AbortController().signal).then(show, (reason: Error) => fail(reason.message));
  }

  return (
    <section class="card report" aria-label={word("how", "report")}>
      <div class="tools">
        <label class="picker">
          {t("report.kind")}
          <select value={kind} onChange={(event) => take(event.currentTarget.value)}>
            {KINDS.map((each) => <option key={each} value={each}>{word("report", each)}</option>)}
          </select>
        </label>
        <label class="picker">
          {t("report.language")}
          <select value={wording} onChange={(event) => say(event.currentTarget.value)}>
            {WORDINGS.map((each) => <option key={each} value={each}>{word("wording", each)}</option>)}
          </select>
        </label>
        <span class="note">{first === last ? first : `${first} – ${last}`}</span>
        <span class="space" />
        {ENDINGS.map((each) => <button key={each} type="button" disabled={runs} onClick={() => order(each)}>{word("report", each)}</button>)}
      </div>
      <div role="status">
        {runs && job && (
          <p>
            <progress {...(job.total ? { max: job.total, value: Math.min(job.rows, job.total) } : {})} aria-label={word("report", job.state)} />{" "}
            {word("report", job.state)} {t("report.rows", { n: figure(job.rows, 6) })}
          </p>
        )}
        {job?.state === "done" && (
          <p>
            <a class="button" href={`api/reports/${job.number}/file`} download={job.name}>{t("report.fetch", { name: job.name })}</a>{" "}
            <span class="note">SHA-256 {job.hash.slice(0, 16)}…</span>
          </p>
        )}
        {job?.state === "failed" && <p class="notice">{job[language.get()] || t("report.failed")}</p>}
        {error && <p class="notice">{error}</p>}
      </div>
      <p class="note">{t("report.note")}</p>
    </section>
  );
}
