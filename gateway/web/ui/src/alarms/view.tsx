// What is wrong now, since when, who has seen it; and what was wrong before.
import { useEffect, useState } from "preact/hooks";
import type { AlarmPage, AlarmRow, Done } from "../api";
import { useAnswer } from "../energy/data";
import { watch } from "../feed";
import { ago, figure, moment } from "../format";
import { useValue } from "../observable";
import { Card, Failed, Loading, Status, Wide, type Tone } from "../parts";
import { route } from "../route";
import { change, may } from "../session";
import { language, t, word } from "../words";
import "./alarms.css";

const PARTS = ["active", "unacknowledged", "cleared", "all"] as const;
const KINDS: AlarmRow["kind"][] = ["limit", "link", "store", "demand", "balance", "certificate", "clock"];
const LENGTHS = ["1h", "8h", "24h", "7d"] as const;
const SHOWN = 50;

export default function AlarmsView() {
  const at = useValue(route);
  useEffect(() => watch([], false), []);
  const part = PARTS.find((each) => each === at.rest) ?? "active";
  return (
    <div class="alarms">
      <h1>{t("nav.alarms")}</h1>
      <nav class="choices" aria-label={t("nav.alarms")}>
        {PARTS.map((each) => <a key={each} href={`#/alarms/${each}`} aria-current={each === part ? "page" : undefined}>{t(`alarms.${each}`)}</a>)}
      </nav>
      <Table key={part} part={part} />
    </div>
  );
}

function Table({ part }: { part: (typeof PARTS)[number] }) {
  const [offset, turn] = useState(0);
  const [why, tell] = useState("");
  const [kind, choose] = useState("");
  const [subject, seek] = useState("");
  const [note, explain] = useState("");
  const { answer, error, again } = useAnswer<AlarmPage>("alarms", { state: part, offset, limit: SHOWN, subject, ...(kind ? { kind } : {}) }, 2000);
  if (error && !answer) return <Failed reason={error} retry={again} />;
  const act = (path: string, body?: object): void => {
    tell("");
    change<Done>("POST", `alarms/${path}`, body && { ...body, note }).then(
      () => {
        explain("");
        again();
      },
      (reason: Error) => tell(reason.message),
    );
  };
  const isChosen = kind !== "" || subject !== "";
  return (
    <Card title={t(`alarms.${part}`)} note={answer ? t("alarms.count", { count: figure(answer.total) }) : undefined}>
      <div class="tools inside">
        <label>{t("alarms.kind")} <select value={kind} onChange={(event) => { turn(0); choose(event.currentTarget.value); }}>
          <option value="">{t("alarms.every")}</option>
          {KINDS.map((each) => <option key={each} value={each}>{word("alarms.kind", each)}</option>)}
        </select></label>
        <label>{t("alarms.subject")} <input value={subject} maxLength={200} onInput={(event) => { turn(0); seek(event.currentTarget.value); }} /></label>
        {may("config") && answer?.alarms.some(isOpen) && <label>{t("alarms.note")} <input value={note} maxLength={400} onInput={(event) => explain(event.currentTarget.value)} /></label>}
      </div>
      <p class="why-not" role="alert">{why}</p>
      {!answer ? <Loading /> : answer.alarms.length === 0 ? <p class="empty">{t(isChosen ? "alarms.none_such" : part === "active" ? "alarms.none" : "alarms.nothing")}</p> : (
        <Wide label={t(`alarms.${part}`)}>
          <table class="links">
            <thead><tr><th>{t("alarms.alarm")}</th><td>{t("alarms.severity")}</td><td>{t("alarms.kind")}</td><td>{t("alarms.state")}</td><td>{t("alarms.began")}</td><td>{t("alarms.over")}</td>{may("config") && <td />}</tr></thead>
            <tbody>{answer.alarms.map((each) => <Row key={each.number} alarm={each} act={act} />)}</tbody>
          </table>
        </Wide>
      )}
      {answer && answer.total > SHOWN && (
        <div class="tools inside">
          <button type="button" disabled={offset === 0} onClick={() => turn(Math.max(0, offset - SHOWN))}>{t("alarms.newer")}</button>
          <button type="button" disabled={offset + SHOWN >= answer.total} onClick={() => turn(offset + SHOWN)}>{t("alarms.older")}</button>
        </div>
      )}
    </Card>
  );
}

/** There is something to be done about it still. */
const isOpen = (alarm: AlarmRow): boolean => alarm.state !== "cleared" || alarm.shelved_until !== null;

function tone(alarm: AlarmRow): Tone {
  if (alarm.state === "cleared") return "calm";
  if (alarm.shelved_until !== null) return "off";
  return alarm.severity === "urgent" ? "bad" : "look";
}

function Row({ alarm, act }: { alarm: AlarmRow; act: (path: string, body?: object) => void }) {
  const speaks = useValue(language);
  const state = alarm.state !== "cleared" && alarm.shelved_until !== null ? "shelved" : alarm.state;
  const stands = alarm.state !== "cleared";
  return (
    <tr>
      <th scope="row" class="about">{speaks === "zh" ? alarm.text_zh : alarm.text}</th>
      <td><Status tone={stands ? (alarm.severity === "urgent" ? "bad" : "look") : "off"}>{t(`alarms.${alarm.severity}`)}</Status></td>
      <td>{word("alarms.kind", alarm.kind)}</td>
      <td>
        <Status tone={tone(alarm)}>{t(`alarms.is.${state}`)}</Status>
        {alarm.acknowledged !== null && <small>{t("alarms.seen_by", { who: alarm.who, when: moment(alarm.acknowledged), note: alarm.note })}</small>}
        {state === "shelved" && <small>{t("alarms.shelved_by", { who: alarm.shelved_by, until: moment(alarm.shelved_until!) })}</small>}
      </td>
      <td class="num" title={moment(alarm.began)}>{stands ? ago(alarm.began) : moment(alarm.began)}</td>
      <td class="num">{alarm.cleared === null ? "—" : moment(alarm.cleared)}</td>
      {may("config") && <td>{isOpen(alarm) && <Acts alarm={alarm} act={act} />}</td>}
    </tr>
  );
}

function Acts({ alarm, act }: { alarm: AlarmRow; act: (path: string, body?: object) => void }) {
  const about = { "aria-label": `${t("alarms.shelve")} ${alarm.number}` };
  return (
    <span class="acts">
      {alarm.state === "active" && <button type="button" onClick={() => act(`${alarm.number}/acknowledge`, {})}>{t("alarms.acknowledge")}</button>}
      {alarm.shelved_until !== null ? <button type="button" onClick={() => act(`${alarm.number}/unshelve`)}>{t("alarms.unshelve")}</button> : (
        <select {...about} value="" onChange={(event) => act(`${alarm.number}/shelve`, { length: event.currentTarget.value })}>
          <option value="" disabled>{t("alarms.shelve")}</option>
          {LENGTHS.map((each) => <option key={each} value={each}>{t(`alarms.for.${each}`)}</option>)}
        </select>
      )}
    </span>
  );
}
