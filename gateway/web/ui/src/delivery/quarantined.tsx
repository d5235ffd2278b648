// What platforms refused for good: why, what it was, and what to do with it.
import { useState } from "preact/hooks";
import type { QuarantineDone, QuarantineEntries } from "../api";
import { useAnswer } from "../energy/data";
import { figure, moment } from "../format";
import { Card, Failed, Loading, Wide } from "../parts";
import { change, may, Refused } from "../session";
import { t } from "../words";

export function Quarantined() {
  const { answer, error, again } = useAnswer<QuarantineEntries>("quarantine", {}, 10_000);
  const [chosen, choose] = useState<number[]>([]);
  const [isSure, ask] = useState(false);
  const [said, say] = useState("");
  const [why, tell] = useState("");
  if (error && !answer) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;

  function act(what: "retry" | "delete"): void {
    const sinks = [...new Set(answer!.entries.filter((each) => chosen.includes(each.entry)).map((each) => each.sink))];
    tell("");
    ask(false);
    Promise.all(sinks.map((sink) => change<QuarantineDone>("POST", `quarantine/${what}`, { sink, entries: chosen }))).then(
      (done) => {
        say(t(`delivery.${what}_done`, { rows: figure(done.reduce((sum, each) => sum + each.rows, 0)) }));
        choose([]);
        again();
      },
      (reason: Error) => tell(reason instanceof Refused ? reason.message : t("page.failed", { reason: reason.message })),
    );
  }
  const all = answer.entries.map((each) => each.entry);
  return (
    <Card title={t("delivery.quarantine")} note={t("delivery.entries", { count: figure(answer.total) })}>
      <p class="why-not" role="alert">{why}</p>
      <p class="said-here" role="status">{said}</p>
      {answer.total === 0 ? <p class="empty">{t("delivery.nothing_refused")}</p> : (
        <>
          <div class="tools inside">
            {may("config") && (
              <>
                <button type="button" onClick={() => choose(chosen.length === all.length ? [] : all)}>{t("delivery.choose_all")}</button>
                <button type="button" disabled={!chosen.length} onClick={() => act("retry")}>{t("delivery.retry")}</button>
                {isSure
                  ? <button type="button" class="do" onClick={() => act("delete")}>{t("delivery.delete_sure", { count: chosen.length })}</button>
                  : <button type="button" disabled={!chosen.length} onClick={() => ask(true)}>{t("delivery.delete")}</button>}
              </>
            )}
            <a href="api/quarantine/file" download="quarantine.jsonl">{t("delivery.export")}</a>
          </div>
          <Wide label={t("delivery.quarantine")}>
            <table class="links">
              <thead><tr><th>{t("delivery.entry")}</th><td>{t("delivery.sink")}</td><td>{t("delivery.since")}</td><td>{t("delivery.rows")}</td><td>{t("delivery.why")}</td><td>{t("delivery.devices")}</td></tr></thead>
              <tbody>
                {answer.entries.map((each) => (
                  <tr key={each.entry}>
                    <th scope="row">
                      {may("config")
                        ? <label class="choice"><input type="checkbox" checked={chosen.includes(each.entry)} onChange={(event) => choose(event.currentTarget.checked ? [...chosen, each.entry] : chosen.filter((one) => one !== each.entry))} /> {each.entry}</label>
                        : each.entry}
                    </th>
                    <td>{each.sink}</td>
                    <td class="num">{moment(each.noted)}</td>
                    <td class="num">{figure(each.rows)}</td>
                    <td class="about">{each.reason}</td>
                    <td class="about">{each.devices.join(", ")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        </>
      )}
    </Card>
  );
}
