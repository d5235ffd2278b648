// The daily record: what each day moved, sink by sink; for whoever has to show it later.
import type { LedgerDays } from "../api";
import { useAnswer } from "../energy/data";
import { now, state } from "../feed";
import { date, figure } from "../format";
import { useValue } from "../observable";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { t } from "../words";
import { dayOf } from "../zone";
import { nameOf, sourceOf } from "./names";

const NOON = "T12:00Z";
const BACK_MS = 30 * 86_400_000;

export function Days() {
  // The plant's days: its zone comes with the state.
  const isKnown = useValue(state) !== null;
  const { answer, error, again } = useAnswer<LedgerDays>("ledger", isKnown ? { first: dayOf(now() - BACK_MS), last: dayOf(now()) } : null);
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  return (
    <Card title={t("delivery.days")} note={t("delivery.days_note")}>
      {answer.days.length === 0 ? <p class="empty">{t("delivery.no_days")}</p> : (
        <Wide label={t("delivery.days")}>
          <table class="links books">
            <thead><tr><th>{t("delivery.day")}</th><td class="text">{t("delivery.sink")}</td><td class="text">{t("delivery.source")}</td><td>{t("delivery.acquired")}</td><td>{t("delivery.delivered")}</td><td>{t("delivery.buffered")}</td><td>{t("delivery.not_selected")}</td><td>{t("delivery.quarantined")}</td><td>{t("delivery.dropped")}</td><td>{t("delivery.sum")}</td></tr></thead>
            <tbody>
              {answer.days.map((each, i) => (
                <tr key={i}>
                  <th scope="row">{date(Date.parse(each.day + NOON))}</th>
                  <td class="text">{nameOf(each.sink)}</td>
                  <td class="text">{sourceOf(each.line.source)}</td>
                  <td class="num">{figure(each.line.acquired, 15)}</td>
                  <td class="num">{figure(each.line.delivered, 15)}</td>
                  <td class="num">{figure(each.line.buffered, 15)}</td>
                  <td class="num">{figure(each.line.not_selected, 15)}</td>
                  <td class="num">{figure(each.line.quarantined, 15)}</td>
                  <td class="num">{figure(each.line.dropped, 15)}</td>
                  <td><Status tone={each.holds ? "calm" : "bad"}>{t(each.holds ? "delivery.right" : "delivery.wrong")}</Status></td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </Card>
  );
}
