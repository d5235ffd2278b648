// Whom the gateway believes: OPC UA servers a person has trusted; and what it shows of itself, to them and to browsers.
import type { Certificates } from "../api";
import { useState } from "preact/hooks";
import { useAnswer } from "../energy/data";
import { now } from "../feed";
import { date } from "../format";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { change } from "../session";
import { t } from "../words";

const SOON = 30 * 86_400_000;

const pairs = (thumbprint: string): string => (thumbprint.match(/.{4}/g) ?? []).join(" ");

export function CertificateList() {
  const { answer, error, again } = useAnswer<Certificates>("certificates", {});
  const [why, tell] = useState("");
  const [said, say] = useState("");
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  const decide = (thumbprint: string, trusted: boolean): void => {
    tell("");
    say("");
    change("POST", `certificates/${thumbprint}`, { trusted }).then(again, (reason: Error) => tell(reason.message));
  };
  const renew = (which: "own" | "page"): void => {
    tell("");
    say("");
    change("POST", `certificates/${which}/renew`).then(
      () => {
        say(t("account.renewed"));
        again();
      },
      (reason: Error) => tell(reason.message),
    );
  };
  return (
    <>
      <p class="said-here" role="status">{said}</p>
      <Card title={t("account.servers")} note={t("account.servers_note")}>
        <p class="why-not" role="alert">{why}</p>
        {answer.servers.length === 0 ? <p class="empty">{t("account.no_servers")}</p> : (
          <Wide label={t("account.servers")}>
            <table class="links">
              <thead><tr><th>{t("account.server")}</th><td>{t("account.state")}</td><td>{t("account.thumbprint")}</td><td>{t("account.expires")}</td><td /></tr></thead>
              <tbody>
                {answer.servers.map((each) => (
                  <tr key={each.thumbprint}>
                    <th scope="row">{each.name}</th>
                    <td><Status tone={each.trusted ? "calm" : "look"}>{t(each.trusted ? "account.trusted" : "account.not_trusted")}</Status></td>
                    <td><code>{pairs(each.thumbprint)}</code></td>
                    <td class="num"><Ends at={each.ends} /></td>
                    <td><button type="button" onClick={() => decide(each.thumbprint, !each.trusted)}>{t(each.trusted ? "account.reject" : "account.trust", { name: each.name })}</button></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        )}
      </Card>
      {answer.links.length > 0 && (
        <Card title={t("account.links")} note={t("account.links_note")}>
          <Wide label={t("account.links")}>
            <table class="links">
              <thead><tr><th>{t("account.link")}</th><td>{t("account.peer")}</td><td>{t("account.whose")}</td><td>{t("account.expires")}</td></tr></thead>
              <tbody>
                {answer.links.map((each) => (
                  <tr key={`${each.role}/${each.link}/${each.whose}`}>
                    <th scope="row">{each.link}</th>
                    <td>{each.peer}</td>
                    <td>{t(`account.whose_${each.whose}`)}</td>
                    <td class="num"><Ends at={each.ends} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        </Card>
      )}
      <Card title={t("account.own_certificate")} note={answer.own ? <Ends at={answer.own.ends} isSaid /> : undefined}>
        {answer.own ? (
          <>
            <p class="said-here head">{answer.own.name} · {t("account.thumbprint")} <code>{pairs(answer.own.thumbprint)}</code></p>
            <p class="empty">{t("account.own_note")}</p>
            <Renew which="own" renew={renew} />
          </>
        ) : <p class="empty">{t("account.no_own")}</p>}
      </Card>
      {answer.page && (
        <Card title={t("account.page_certificate")} note={<Ends at={answer.page.ends} isSaid />}>
          <p class="said-here head">{t("account.fingerprint")} <code>{answer.page.fingerprint}</code></p>
          <p class="empty">{t("account.compare")}</p>
          {answer.page.is_ours ? <Renew which="page" renew={renew} /> : <p class="empty">{t("account.given")}</p>}
        </Card>
      )}
    </>
  );
}

/** When a certificate ends; thirty days before, it is time to do something. */
function Ends({ at, isSaid }: { at: number; isSaid?: boolean }) {
  const left = at - now();
  return <Status tone={left < 0 ? "bad" : left <= SOON ? "look" : "calm"}>{isSaid ? t("account.until", { date: date(at) }) : date(at)}</Status>;
}

/** Asked twice: the second button says what comes of it. */
function Renew({ which, renew }: { which: "own" | "page"; renew: (which: "own" | "page") => void }) {
  const [isSure, ask] = useState(false);
  return (
    <div class="tools inside">
      {isSure
        ? <button type="button" class="do" onClick={() => { ask(false); renew(which); }}>{t(`account.renew_${which}`)}</button>
        : <button type="button" onClick={() => ask(true)}>{t("account.renew")}</button>}
    </div>
  );
}
