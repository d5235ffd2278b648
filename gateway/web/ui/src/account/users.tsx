// Who may sign in: an administrator's table. Dangerous buttons say what they do before they do it.
import type { UserTold } from "../api";
import { useState } from "preact/hooks";
import { useAnswer } from "../energy/data";
import { moment } from "../format";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { change } from "../session";
import { t, word } from "../words";
import { Field, Form } from "./form";

const ROLES = ["viewer", "engineer", "administrator", "auditor"] as const;

export function Users({ me }: { me: string }) {
  const { answer, error, again } = useAnswer<UserTold[]>("users", {});
  const [why, tell] = useState("");
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  const act = (path: string, body: object): void => {
    tell("");
    change("POST", `users/${path}`, body).then(again, (reason: Error) => tell(reason.message));
  };
  return (
    <>
      <Card title={t("account.users")} note={t("account.duties")}>
        <p class="why-not" role="alert">{why}</p>
        <Wide label={t("account.users")}>
          <table class="links">
            <thead><tr><th>{t("account.name")}</th><td>{t("account.role")}</td><td>{t("account.state")}</td><td>{t("account.seen")}</td><td>{t("account.password_set")}</td><td /></tr></thead>
            <tbody>
              {answer.map((each) => (
                <tr key={each.name}>
                  <th scope="row">{each.name}</th>
                  <td>
                    {each.name === me ? word("role", each.role) : (
                      <select aria-label={t("account.role_of", { name: each.name })} value={each.role} onChange={(event) => act(`${encodeURIComponent(each.name)}/role`, { role: event.currentTarget.value })}>
                        {ROLES.map((role) => <option key={role} value={role}>{word("role", role)}</option>)}
                      </select>
                    )}
                  </td>
                  <td><Status tone={each.enabled ? "calm" : "off"}>{t(each.enabled ? "account.enabled" : "account.disabled")}</Status></td>
                  <td class="num">{each.seen === null ? t("account.never") : moment(each.seen)}</td>
                  <td class="num">{moment(each.changed)}{each.must_change ? ` · ${t("account.to_change")}` : ""}</td>
                  <td>
                    {each.name !== me && (
                      <button type="button" onClick={() => act(`${encodeURIComponent(each.name)}/enabled`, { enabled: !each.enabled })}>
                        {t(each.enabled ? "account.disable" : "account.enable", { name: each.name })}
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      </Card>
      <Card title={t("account.add_user")}>
        <Form title={t("account.add_user")} submit={t("account.add_user")} send={async (fields) => { await change("POST", "users", fields); again(); }}>
          <Field label={t("account.name")} name="name" />
          <label>
            <span>{t("account.role")}</span>
            <select name="role">{ROLES.map((role) => <option key={role} value={role}>{t(`account.may.${role}`)}</option>)}</select>
          </label>
          <Field label={t("account.first_password")} name="password" type="password" complete="new-password" note={t("account.password_rule")} />
        </Form>
      </Card>
      <Card title={t("account.reset")}>
        <Form title={t("account.reset")} submit={t("account.reset")} send={async ({ name, password }) => { await change("POST", `users/${encodeURIComponent(name ?? "")}/password`, { password }); again(); }}>
          <label>
            <span>{t("account.name")}</span>
            <select name="name">{answer.filter((each) => each.name !== me).map((each) => <option key={each.name}>{each.name}</option>)}</select>
          </label>
          <Field label={t("account.first_password")} name="password" type="password" complete="new-password" note={t("account.password_rule")} />
        </Form>
      </Card>
    </>
  );
}
