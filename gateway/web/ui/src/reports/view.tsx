// Reports of the plant: ordered here, kept for a while, fetched, and checked against the books.
import { useEffect, useState } from "preact/hooks";
import type { ReportGone, ReportKept, Reports, ReportVerdict } from "../api";
import { useAnswer } from "../energy/data";
import { ask, watch } from "../feed";
import { bytes, figure, moment } from "../format";
import { Card, Failed, Loading, Wide } from "../parts";
import { change, may } from "../session";
import { t, word } from "../words";
import { Check, Verdict } from "./check";
import { Order } from "./order";
import "./reports.css";

const AGAIN = 10_000;

export default function ReportsView() {
  useEffect(() => watch([], false), []);
  const { answer, error, again } = useAnswer<Reports>("reports", {}, AGAIN);
  return (
    <div class="reports">
      <h1>{t("nav.reports")}</h1>
      <Order running={answer?.making ?? null} made={again} />
      {error && !answer && <Failed reason={error} retry={again} />}
      {!error && !answer && <Loading />}
      {answer && <Kept found={answer} again={again} />}
      <Check />
    </div>
  );
}

function Kept({ found, again }: { found: Reports; again: () => void }) {
  const [why, tell] = useState("");
  const note = t("reports.bounds", { most: found.most, size: bytes(found.most_bytes) });
  return (
    <Card title={t("reports.kept")} note={note}>
      <p class="why-not" role="alert">{why}</p>
      {found.reports.length === 0 ? <p class="empty">{t("reports.none")}</p> : (
        <Wide label={t("reports.kept")}>
          <table class="links">
            <thead>
              <tr>
                <th>{t("reports.report")}</th><td>{t("reports.period")}</td><td>{t("reports.language")}</td><td>{t("reports.made")}</td>
                <td>{t("reports.who")}</td><td class="num">{t("reports.size")}</td><td>{t("reports.hash")}</td><td />
              </tr>
            </thead>
            <tbody>{found.reports.map((each) => <Row key={each.number} report={each} again={again} tell={tell} />)}</tbody>
          </table>
        </Wide>
      )}
    </Card>
  );
}

function Row({ report, again, tell }: { report: ReportKept; again: () => void; tell: (why: string) => void }) {
  const [verdict, judge] = useState<ReportVerdict | null>(null);
  const [isBusy, wait] = useState(false);
  const [isSure, sure] = useState(false);
  const failed = (reason: Error): void => tell(reason.message);
  function check(): void {
    tell("");
    wait(true);
    ask<ReportVerdict>(`reports/${report.number}/verdict`, {}).then(judge, failed).finally(() => wait(false));
  }
  function forget(): void {
    tell("");
    change<ReportGone>("DELETE", `reports/${report.number}`).then(again, failed);
  }
  const name = `${word("report", report.kind)} ${report.period}`;
  return (
    <>
      <tr>
        <th scope="row">{word("report", report.kind)}</th>
        <td>{report.period}{report.interval && ` · ${word("every", report.interval)}`}</td>
        <td>{word("wording", report.language)} · {word("ending", report.ending)}</td>
        <td class="when">{moment(report.made)}</td>
        <td>{report.who || "—"}</td>
        <td class="num" title={t("report.rows", { n: figure(report.rows) })}>{bytes(report.bytes)}</td>
        <td><code title={report.hash}>{report.hash.slice(0, 12)}…</code></td>
        <td><span class="acts">
          <a href={`api/reports/${report.number}/file`} download={report.name} aria-label={`${t("reports.save")} ${name}`}>{t("reports.save")}</a>
          <button type="button" disabled={isBusy} aria-label={`${t("reports.check")} ${name}`} onClick={check}>{t(isBusy ? "reports.checking" : "reports.check")}</button>
          {may("config") && (isSure
            ? <button type="button" class="do" onClick={forget}>{t("reports.delete_sure")}</button>
            : <button type="button" aria-label={`${t("reports.delete")} ${name}`} onClick={() => sure(true)}>{t("reports.delete")}</button>)}
        </span></td>
      </tr>
      {verdict && <tr class="verdict"><td colSpan={8}><Verdict found={verdict} /></td></tr>}
    </>
  );
}
