// Tokens for programs: made here, shown once, taken away here.
import type { TokenMade, TokenTold } from "../api";
import { useState } from "preact/hooks";
import { useAnswer } from "../energy/data";
import { date, moment } from "../format";
import { now } from "../feed";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { change } from "../session";
import { t } from "../words";
import { Field, Form } from "./form";

const DAYS = ["30", "90", "365", "1100"];
const SCOPES = ["read", "stream", "config"] as const;

export function Tokens() {
  const { answer, error, again } = useAnswer<TokenTold[]>("tokens", {});
  const [made, show] = useState("");
  const [chosen, choose] = useState<string[]>(["read"]);
  const [days, last] = useState("365");
  const [why, tell] = useState("");
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  return (
    <>
      <Card title={t("account.tokens")}>
        <p class="why-not" role="alert">{why}</p>
        {answer.length === 0 ? <p class="empty">{t("account.no_tokens")}</p> : (
          <Wide label={t("account.tokens")}>
            <table class="links">
              <thead><tr><th>{t("account.token")}</th><td>{t("account.scopes")}</td><td>{t("account.made_by")}</td><td>{t("account.expires")}</td><td>{t("account.used")}</td><td /></tr></thead>
              <tbody>
                {answer.map((each) => (
                  <tr key={each.name}>
                    <th scope="row">{each.name}</th>
                    <td>{each.scopes.map((scope) => t(`account.scope.${scope}`)).join(" · ")}</td>
                    <td>{each.made_by}</td>
                    <td class="num"><Status tone={each.expires < now() ? "off" : "calm"}>{date(each.expires)}</Status></td>
                    <td class="num">{each.used === null ? t("account.never") : moment(each.used)}</td>
                    <td><button type="button" onClick={() => change("DELETE", `tokens/${encodeURIComponent(each.name)}`).then(again, (reason: Error) => tell(reason.message))}>{t("account.take_away", { name: each.name })}</button></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        )}
      </Card>
      <Card title={t("account.add_token")}>
        <Form
          title={t("account.add_token")}
          submit={t("account.add_token")}
          send={async ({ name }) => {
            const token = await change<TokenMade>("POST", "tokens", { name, scopes: chosen, days: Number(days) });
            show(token.secret);
            again();
          }}
        >
          <Field label={t("account.token_name")} name="name" />
          <fieldset>
            <legend>{t("account.scopes")}</legend>
            {SCOPES.map((scope) => (
              <label key={scope} class="choice">
                <input type="checkbox" checked={chosen.includes(scope)} onChange={(event) => choose(event.currentTarget.checked ? [...chosen, scope] : chosen.filter((each) => each !== scope))} />
                {t(`account.scope.${scope}`)}
              </label>
            ))}
          </fieldset>
          <label>
            <span>{t("account.days")}</span>
            <select value={days} onChange={(event) => last(event.currentTarget.value)}>{DAYS.map((each) => <option key={each}>{each}</option>)}</select>
          </label>
        </Form>
        {made && (
          <div class="notice made" role="status">
            <p>{t("account.shown_once")}</p>
            <code>{made}</code>
            <button type="button" onClick={() => show("")}>{t("account.noted")}</button>
          </div>
        )}
      </Card>
    </>
  );
}
