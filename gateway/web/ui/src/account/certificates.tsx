// Whom the gateway believes: OPC UA servers a person has trusted, and what the page itself shows.
import type { Certificates } from "../api";
import { useState } from "preact/hooks";
import { useAnswer } from "../energy/data";
import { now } from "../feed";
import { date } from "../format";
import { Card, Failed, Loading, Status } from "../parts";
import { change } from "../session";
import { t } from "../words";

const pairs = (thumbprint: string): string => (thumbprint.match(/.{4}/g) ?? []).join(" ");

export function CertificateList() {
  const { answer, error, again } = useAnswer<Certificates>("certificates", {});
  const [why, tell] = useState("");
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  const decide = (thumbprint: string, trusted: boolean): void => {
    tell("");
    change("POST", `certificates/${thumbprint}`, { trusted }).then(again, (reason: Error) => tell(reason.message));
  };
  return (
    <>
      <Card title={t("account.servers")} note={t("account.servers_note")}>
        <p class="why-not" role="alert">{why}</p>
        {answer.servers.length === 0 ? <p class="empty">{t("account.no_servers")}</p> : (
          <div class="wide">
            <table class="links">
              <thead><tr><th>{t("account.server")}</th><td>{t("account.state")}</td><td>{t("account.thumbprint")}</td><td>{t("account.expires")}</td><td /></tr></thead>
              <tbody>
                {answer.servers.map((each) => (
                  <tr key={each.thumbprint}>
                    <th scope="row">{each.name}</th>
                    <td><Status tone={each.trusted ? "calm" : "look"}>{t(each.trusted ? "account.trusted" : "account.not_trusted")}</Status></td>
                    <td><code>{pairs(each.thumbprint)}</code></td>
                    <td class="num"><Status tone={each.ends < now() ? "bad" : "calm"}>{date(each.ends)}</Status></td>
                    <td><button type="button" onClick={() => decide(each.thumbprint, !each.trusted)}>{t(each.trusted ? "account.reject" : "account.trust", { name: each.name })}</button></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      {answer.page && (
        <Card title={t("account.page_certificate")} note={t("account.until", { date: date(answer.page.ends) })}>
          <p class="said-here head">{t("account.fingerprint")} <code>{answer.page.fingerprint}</code></p>
          <p class="empty">{t("account.compare")}</p>
        </Card>
      )}
    </>
  );
}
