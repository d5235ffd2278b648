// Where nobody is known yet: sign in, or make the first user with the code from the console.
import type { SessionTold } from "../api";
import { useValue } from "../observable";
import { Card } from "../parts";
import { change, session } from "../session";
import { language, speak, t } from "../words";
import { Field, Form } from "./form";
import "./account.css";

export default function Door() {
  const other = useValue(language) === "zh" ? "en" : "zh";
  return (
    <main class="door" id="view">
      <h1>{t("page.name")}</h1>
      <SignIn />
      <p class="note">{t("account.forgotten")}</p>
      <button type="button" lang={other} onClick={() => speak(other)}>{other === "zh" ? "中文" : "English"}</button>
    </main>
  );
}

function SignIn() {
  return (
    <Card title={t("account.sign_in")}>
      <Form title={t("account.sign_in")} submit={t("account.sign_in")} send={async ({ name, password }) => session.set(await change<SessionTold>("POST", "session", { name, password }))}>
        <Field label={t("account.name")} name="name" complete="username" isFirst />
        <Field label={t("account.password")} name="password" type="password" complete="current-password" />
      </Form>
    </Card>
  );
}

export function SetUp() {
  return (
    <Card title={t("account.set_up")}>
      <p class="said-here">{t("account.set_up_why")}</p>
      <Form title={t("account.set_up")} submit={t("account.set_up_do")} send={async ({ code, name, password }) => session.set(await change<SessionTold>("POST", "setup", { code, name, password }))}>
        <Field label={t("account.code")} name="code" note={t("account.code_where")} isFirst />
        <Field label={t("account.name")} name="name" complete="username" />
        <Field label={t("account.password")} name="password" type="password" complete="new-password" note={t("account.password_rule")} />
      </Form>
    </Card>
  );
}
