// The log of what everybody did, the newest first; whether its chain is whole; and all of it as a file.
import type { AuditEntry, AuditPage, AuditVerdict } from "../api";
import { useEffect, useState } from "preact/hooks";
import { ask } from "../feed";
import { seconds, whole } from "../format";
import { Card, Failed, Loading, Status, Wide } from "../parts";
import { t, word } from "../words";

export function AuditLog() {
  const [entries, show] = useState<AuditEntry[] | null>(null);
  const [more, end] = useState(false);
  const [error, fail] = useState("");
  const [verdict, judge] = useState<AuditVerdict | null>(null);
  const load = (below?: number): void => {
    ask<AuditPage>("audit", below === undefined ? {} : { below }).then(
      (page) => {
        show([...(below === undefined ? [] : (entries ?? [])), ...page.entries]);
        end(page.more);
      },
      (reason: Error) => fail(reason.message),
    );
  };
  useEffect(() => load(), []);
  if (error) return <Failed reason={error} retry={() => { fail(""); load(); }} />;
  if (!entries) return <Loading />;
  return (
    <Card title={t("account.audit")} note={t("account.audit_kept")}>
      <div class="tools inside">
        <button type="button" onClick={() => ask<AuditVerdict>("audit/verdict", {}).then(judge, (reason: Error) => fail(reason.message))}>{t("account.verify")}</button>
        <a href="api/audit/file" download>{t("account.audit_file")}</a>
        {verdict && (
          <span role="status">
            {verdict.wrong.length ? <Status tone="bad">{t("account.broken", { numbers: verdict.wrong.slice(0, 10).join(", ") })}</Status> : <Status tone="calm">{t("account.whole", { first: verdict.first, last: verdict.last })}</Status>}
          </span>
        )}
      </div>
      {verdict && !verdict.wrong.length && <p class="said-here note head">{t("account.head", { head: `${verdict.last}:${verdict.head}` })}</p>}
      {entries.length === 0 ? <p class="empty">{t("account.no_entries")}</p> : (
        <Wide label={t("account.audit")}>
          <table class="links">
            <thead><tr><th>{t("account.number")}</th><td>{t("account.at")}</td><td>{t("account.whom")}</td><td>{t("account.from")}</td><td>{t("account.what")}</td><td>{t("account.about")}</td></tr></thead>
            <tbody>
              {entries.map((each) => (
                <tr key={each.number}>
                  <th scope="row" class="num">{each.number}</th>
                  <td class="num">{whole(each.at)}</td>
                  <td>{each.who || "—"}</td>
                  <td>{each.address || "—"}</td>
                  <td>{word("audit", each.what)}</td>
                  <td class="about">{about(each.about)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      {more && <button type="button" class="more" onClick={() => load(entries[entries.length - 1]?.number)}>{t("account.older")}</button>}
    </Card>
  );
}

/** The verb that is in the word for what was done already. */
const SAID_ALREADY = "act";
/** What proves and tells a reader nothing: behind all that does. */
const FINGERPRINT = /^[0-9a-f]{32,}$/i;
const isFingerprint = (pair: [string, unknown]): number => Number(FINGERPRINT.test(String(pair[1])));

function about(text: string): string {
  const said = Object.entries(JSON.parse(text) as Record<string, unknown>).filter(([name, value]) => name !== SAID_ALREADY && value !== "");
  said.sort((one, other) => isFingerprint(one) - isFingerprint(other));
  return said.map(([name, value]) => t("figure.named", { name: word("about", name), value: detail(name, value) })).join(" · ");
}

function detail(name: string, value: unknown): string {
  if (name === "for_ns") return value ? seconds(Number(value) / 1e9) : t("about.ended");
  if (name === "kind") return word("report", String(value));
  if (name === "which") return word("about.which", String(value));
  if (name === "role" || name === "before") return word("role", String(value)); // the role before, else a fingerprint
  if (name === "scopes" && Array.isArray(value)) return value.map((each) => word("account.scope", String(each))).join(t("figure.comma"));
  return typeof value === "string" ? value : JSON.stringify(value);
}
