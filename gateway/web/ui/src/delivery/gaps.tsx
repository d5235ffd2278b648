// What is missing, since when, why, and for whom: never filled, always told.
import { useState } from "preact/hooks";
import type { Gap, GapPage } from "../api";
import { useAnswer } from "../energy/data";
import { figure, moment } from "../format";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { t, word } from "../words";
import { nameOf } from "./names";

const SHOWN = 50;

export function Gaps() {
  const [offset, turn] = useState(0);
  const { answer, error, again } = useAnswer<GapPage>("gaps", { offset, limit: SHOWN }, 10_000);
  if (error && !answer) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  return (
    <Card title={t("delivery.gaps")} note={t("delivery.gap_count", { count: answer.total, lasting: answer.lasting })}>
      {answer.gaps.length === 0 ? <p class="empty">{t("delivery.no_gaps")}</p> : (
        <Wide label={t("delivery.gaps")}>
          <table class="links gaps">
            <thead><tr><th>{t("delivery.from")}</th><td>{t("delivery.until")}</td><td>{t("delivery.why")}</td><td>{t("delivery.source")}</td><td>{t("delivery.devices")}</td><td class="num">{t("delivery.affected")}</td><td class="num">{t("delivery.rows")}</td></tr></thead>
            <tbody>{answer.gaps.map((each) => <Row key={each.id} gap={each} />)}</tbody>
          </table>
        </Wide>
      )}
      {answer.total > SHOWN && (
        <div class="tools inside">
          <button type="button" disabled={offset === 0} onClick={() => turn(Math.max(0, offset - SHOWN))}>{t("delivery.newer")}</button>
          <button type="button" disabled={offset + SHOWN >= answer.total} onClick={() => turn(offset + SHOWN)}>{t("delivery.older")}</button>
        </div>
      )}
    </Card>
  );
}

function Row({ gap }: { gap: Gap }) {
  const devices = gap.devices.length > 3 ? `${gap.devices.slice(0, 3).join(t("figure.comma"))} …` : gap.devices.join(t("figure.comma"));
  return (
    <tr>
      <th scope="row" class="num">{gap.start === null ? "—" : moment(gap.start)}</th>
      <td class="num">{gap.lasts ? <Status tone="look">{t("delivery.lasts")}</Status> : gap.end === null ? "—" : moment(gap.end)}</td>
      <td>{word("dropped", gap.reason)}</td>
      <td>{gap.sources.map((each) => nameOf(each.code)).join(t("figure.comma"))}</td>
      <td class="about" title={gap.devices.join("\n")}>{devices || (gap.sources.length ? t("delivery.whole_source") : "—")}</td>
      <td class="num">{gap.tags ? figure(gap.tags) : "—"}</td>
      <td class="num">{gap.rows ? figure(gap.rows) : "—"}</td>
    </tr>
  );
}
