// Every plant file that was applied; any of them can run again.
import { useState } from "preact/hooks";
import type { ConfigApplied, ConfigProblem, ConfigText, ConfigVersion } from "../api";
import { useAnswer } from "../energy/data";
import { moment } from "../format";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { change, Refused } from "../session";
import { t } from "../words";
import { Diff } from "./diff";
import { Problems } from "./problems";

export function Versions() {
  const { answer, error, again } = useAnswer<ConfigVersion[]>("config/versions", {});
  const [shown, show] = useState<number | null>(null);
  const [why, tell] = useState("");
  const [wrong, list] = useState<ConfigProblem[]>([]);
  const [said, say] = useState("");
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  const running = answer.find((each) => each.state === "applied")?.number;
  const back = (version: number): void => {
    tell("");
    list([]);
    change<ConfigApplied>("POST", "config/rollback", { version }).then(
      (done) => {
        say(t("config.applied", { version: done.version ?? version }));
        again();
      },
      (reason: Error) => {
        tell(reason instanceof Refused ? reason.message : t("page.failed", { reason: reason.message }));
        if (reason instanceof Refused) list(reason.problems);
      },
    );
  };
  return (
    <>
      <Card title={t("config.versions")}>
        <p class="why-not" role="alert">{why}</p>
        <Problems of={wrong} />
        <p class="said-here" role="status">{said}</p>
        {answer.length === 0 ? <p class="empty">{t("config.no_versions")}</p> : (
          <Wide label={t("config.versions")}>
            <table class="links">
              <thead><tr><th>{t("config.version")}</th><td>{t("config.time")}</td><td>{t("config.who")}</td><td>{t("config.note")}</td><td>{t("config.state")}</td><td /></tr></thead>
              <tbody>
                {answer.map((each) => (
                  <tr key={each.number}>
                    <th scope="row"><button type="button" class="as-link" aria-expanded={shown === each.number} onClick={() => show(shown === each.number ? null : each.number)}>{each.number}</button></th>
                    <td class="num">{moment(each.time)}</td>
                    <td>{each.who === "start" ? t("config.at_start") : each.who}</td>
                    <td class="about">{each.note}</td>
                    <td><Status tone={each.state === "applied" ? "calm" : "look"}>{t(each.number === running ? "config.running" : `config.state.${each.state}`)}</Status></td>
                    <td>{each.number !== running && <button type="button" onClick={() => back(each.number)}>{t("config.back", { version: each.number })}</button>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        )}
      </Card>
      {shown !== null && <Text number={shown} />}
    </>
  );
}

function Text({ number }: { number: number }) {
  const { answer, error, again } = useAnswer<ConfigText>(`config/versions/${number}`, {});
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  return (
    <Card title={t("config.version_of", { version: number })}>
      <Diff text={answer.diff} />
      <pre class="plant-text" tabIndex={0}>{answer.text}</pre>
    </Card>
  );
}
