// One's own account; for administrators users and tokens, for auditors the log.
import type { SessionTold, SignedIn } from "../api";
import { useAnswer } from "../energy/data";
import { watch } from "../feed";
import { ago, moment } from "../format";
import { useValue } from "../observable";
import { Card, Failed, Loading, Wide } from "../parts";
import { route } from "../route";
import { change, may, session } from "../session";
import { t, word } from "../words";
import { useEffect, useState } from "preact/hooks";
import { AuditLog } from "./audit";
import { CertificateList } from "./certificates";
import { SetUp } from "./door";
import { Field, Form } from "./form";
import { Tokens } from "./tokens";
import { Users } from "./users";
import "./account.css";

const PARTS = [
  { name: "self", right: "account" },
  { name: "users", right: "users" },
  { name: "tokens", right: "users" },
  { name: "audit", right: "audit" },
  { name: "certificates", right: "config" },
] as const;

export default function AccountView() {
  const who = useValue(session);
  const at = useValue(route);
  useEffect(() => watch([], false), []);
  if (!who) return <Loading />;
  if (who.state === "visitor") return <div class="account"><h1>{t("nav.account")}</h1><SetUp /></div>;
  const open = PARTS.filter((each) => may(each.right));
  const part = open.find((each) => each.name === at.rest)?.name ?? "self";
  return (
    <div class="account">
      <h1>{t("account.who", { name: who.name, role: word("role", who.role) })}</h1>
      {open.length > 1 && (
        <nav class="choices" aria-label={t("nav.account")}>
          {open.map((each) => <a key={each.name} href={`#/account/${each.name}`} aria-current={each.name === part ? "page" : undefined}>{t(`account.${each.name}`)}</a>)}
        </nav>
      )}
      {part === "self" && <Self who={who} />}
      {part === "users" && <Users me={who.name} />}
      {part === "tokens" && <Tokens />}
      {part === "audit" && <AuditLog />}
      {part === "certificates" && <CertificateList />}
    </div>
  );
}

function Self({ who }: { who: SessionTold }) {
  const [said, say] = useState("");
  return (
    <>
      {who.must_change && <p class="notice" role="status">{t("account.must_change")}</p>}
      <Card title={t("account.change_password")}>
        <Form
          title={t("account.change_password")}
          submit={t("account.change_password")}
          send={async ({ old, password }) => {
            session.set(await change<SessionTold>("POST", "account/password", { old, new: password }));
            say(t("account.changed"));
          }}
        >
          <Field label={t("account.old")} name="old" type="password" complete="current-password" />
          <Field label={t("account.new")} name="password" type="password" complete="new-password" note={t("account.password_rule")} />
        </Form>
        {said && <p class="said-here" role="status">{said}</p>}
      </Card>
      <Sessions key={who.proof} />
      <p><button type="button" onClick={() => void change<SessionTold>("DELETE", "session").then((now) => session.set(now))}>{t("account.sign_out")}</button></p>
    </>
  );
}

function Sessions() {
  const { answer, error, again } = useAnswer<SignedIn[]>("account/sessions", {});
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  return (
    <Card title={t("account.sessions")} note={t("account.sessions_note")}>
      <Wide label={t("account.sessions")}>
        <table class="links">
          <thead><tr><th>{t("account.where")}</th><td>{t("account.since")}</td><td>{t("account.used")}</td><td>{t("account.agent")}</td><td /></tr></thead>
          <tbody>
            {answer.map((each) => (
              <tr key={each.number}>
                <th scope="row">{each.address}</th>
                <td class="num">{moment(each.made)}</td>
                <td class="num">{ago(each.seen)}</td>
                <td class="agent">{each.agent || "—"}</td>
                <td>{each.is_this ? t("account.this") : <button type="button" onClick={() => void change("DELETE", `account/sessions/${each.number}`).then(again)}>{t("account.end")}</button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </Card>
  );
}
