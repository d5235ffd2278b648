// Has everything arrived? A conservation line per sink, how long the rest takes, what was lost, what was refused.
import { useEffect } from "preact/hooks";
import type { Delivery, LedgerLine, SinkLedger } from "../api";
import { useAnswer } from "../energy/data";
import { watch } from "../feed";
import { figure, seconds } from "../format";
import { useValue } from "../observable";
import { Card, Failed, Loading, Status, Wide, type Tone } from "../parts";
import { route } from "../route";
import { reason, t, word } from "../words";
import { Days } from "./days";
import { Gaps } from "./gaps";
import { nameOf, sourceOf } from "./names";
import { Quarantined } from "./quarantined";
import "./delivery.css";

const PARTS = ["books", "gaps", "quarantine", "days"] as const;

export default function DeliveryView() {
  const at = useValue(route);
  useEffect(() => watch([], false), []);
  const part = PARTS.find((each) => each === at.rest) ?? "books";
  return (
    <div class="delivery">
      <h1>{t("nav.delivery")}</h1>
      <nav class="choices" aria-label={t("nav.delivery")}>
        {PARTS.map((each) => <a key={each} href={`#/delivery/${each}`} aria-current={each === part ? "page" : undefined}>{t(`delivery.${each}`)}</a>)}
      </nav>
      {part === "books" && <Books />}
      {part === "gaps" && <Gaps />}
      {part === "quarantine" && <Quarantined />}
      {part === "days" && <Days />}
    </div>
  );
}

function Books() {
  const { answer, error, again } = useAnswer<Delivery>("delivery", {}, 2000);
  if (error && !answer) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  const lost = answer.sinks.reduce((sum, each) => sum + each.total.dropped, 0);
  return (
    <>
      <p class="verdict" role="status">
        <Status tone={answer.holds ? "calm" : "bad"}>{t(answer.holds ? "delivery.holds" : "delivery.holds_not")}</Status>
        <Status tone={lost ? "bad" : "calm"}>{t("delivery.lost", { rows: figure(lost) })}</Status>
        <Status tone={answer.gaps_lasting ? "look" : "calm"}><a href="#/delivery/gaps">{t("delivery.gap_count", { count: answer.gaps, lasting: answer.gaps_lasting })}</a></Status>
      </p>
      {answer.sinks.length === 0 && <p class="empty">{t("delivery.no_sinks")}</p>}
      {answer.sinks.map((each) => <Sink key={`${each.role} ${each.sink}`} sink={each} />)}
      {answer.south.some((each) => each.refused.length > 0) && (
        <Card title={t("delivery.south")} note={t("delivery.south_note")}>
          <ul class="plain">
            {answer.south.filter((each) => each.refused.length > 0).map((each) => (
              <li key={each.source}>{each.source}: {each.refused.map((one) => `${word("refused", one.code)} ${figure(one.count)}`).join(" · ")}</li>
            ))}
          </ul>
        </Card>
      )}
    </>
  );
}

const TONES: Record<string, Tone> = { connected: "calm", connecting: "look", waiting: "look", needs_a_person: "bad", stopped: "off" };

function Sink({ sink }: { sink: SinkLedger }) {
  const title = sink.role === "removed" || sink.role === "reader" ? `${sink.sink} · ${word("delivery.role", sink.role)}` : nameOf(sink.sink);
  return (
    <Card title={title} note={sink.peer || undefined}>
      <p class="state">
        {sink.state && <Status tone={TONES[sink.state] ?? "off"}>{word("state", sink.state)}</Status>}
        {sink.error && <span class="why-not">{reason(sink.error, sink.error_zh)}</span>}
        <span>{waiting(sink)}</span>
      </p>
      <Conservation line={sink.total} />
      <Wide label={title}>
        <table class="links books ledger">
          <thead>
            <tr>
              <th>{t("delivery.source")}</th>
              {COLUMNS.map((each) => <td key={each}>{t(`delivery.${each}`)}</td>)}
              <td>{t("delivery.sum")}</td>
            </tr>
          </thead>
          <tbody>
            {sink.lines.map((each) => <Line key={each.source} name={sourceOf(each.source)} line={each} />)}
            {sink.lines.length > 1 && <Line name={t("delivery.all")} line={sink.total} isTotal />}
          </tbody>
        </table>
      </Wide>
      {sink.total.dropped_by.length > 0 && <p class="said-here">{t("delivery.dropped_by", { what: sink.total.dropped_by.map((each) => `${word("dropped", each.code)} ${figure(each.count)}`).join(" · ") })}</p>}
      {sink.refused.length > 0 && <p class="said-here"><a href="#/delivery/quarantine">{t("delivery.refused", { reason: sink.refused[0]!.reason, rows: figure(sink.refused[0]!.rows) })}</a></p>}
    </Card>
  );
}

function waiting(sink: SinkLedger): string {
  if (!sink.backlog) return t("delivery.nothing_waits");
  const left = sink.left_s !== null ? t("delivery.left", { time: seconds(sink.left_s) }) : sink.room_s !== null ? t("delivery.room", { time: seconds(sink.room_s) }) : t("delivery.not_shrinking");
  const rows = figure(sink.backlog);
  return sink.lag_s === null ? t("delivery.waits_unaged", { rows, left }) : t("delivery.waits", { rows, age: seconds(sink.lag_s), left });
}

const COLUMNS = ["acquired", "delivered", "buffered", "not_selected", "quarantined", "dropped"] as const;

/** acquired = delivered + buffered + …, as a bar whose parts are named beside it. */
function Conservation({ line }: { line: LedgerLine }) {
  const parts = COLUMNS.slice(1).map((each) => ({ name: each, rows: line[each] })).filter((each) => each.rows > 0);
  return (
    <div class="conservation" role="img" aria-label={parts.map((each) => `${t(`delivery.${each.name}`)} ${figure(each.rows)}`).join(", ")}>
      {parts.map((each) => <span key={each.name} class={each.name} style={{ flexGrow: Math.max(each.rows / Math.max(1, line.acquired), 0.004) }} />)}
    </div>
  );
}

function Line({ name, line, isTotal }: { name: string; line: LedgerLine; isTotal?: boolean }) {
  return (
    <tr class={isTotal ? "total" : ""}>
      <th scope="row" title={name}>{name}</th>
      {COLUMNS.map((each) => <td key={each} class={`num ${each === "dropped" && line.dropped ? "is-bad" : ""}`}>{figure(line[each], 15)}</td>)}
      <td><Status tone={line.holds ? "calm" : "bad"}>{t(line.holds ? "delivery.right" : "delivery.wrong")}</Status></td>
    </tr>
  );
}

