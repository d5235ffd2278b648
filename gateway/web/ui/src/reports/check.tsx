// Does this file say what the gateway says? Of one that is kept here, or that somebody was sent.
import { useState } from "preact/hooks";
import type { ReportVerdict } from "../api";
import { moment } from "../format";
import { Card, Status } from "../parts";
import { change } from "../session";
import { t, word } from "../words";

export function Check() {
  const [verdict, judge] = useState<ReportVerdict | null>(null);
  const [isBusy, wait] = useState(false);
  const [why, tell] = useState("");
  function look(input: HTMLInputElement): void {
    const file = input.files?.[0];
    if (!file) return;
    tell("");
    judge(null);
    wait(true);
    change<ReportVerdict>("POST", "reports/check", file)
      .then((found) => judge({ ...found, name: file.name }), (reason: Error) => tell(reason.message))
      .finally(() => {
        wait(false);
        input.value = ""; // the same file may be chosen again
      });
  }
  return (
    <Card title={t("reports.check_file")} note={t("reports.check_note")}>
      <div class="order">
        <label class="button file"><input type="file" class="hidden" accept=".xlsx,.pdf" disabled={isBusy} onChange={(event) => look(event.currentTarget)} />{t("reports.choose")}</label>
      </div>
      <div role="status">
        {isBusy && <p class="said-here">{t("reports.checking")}</p>}
        {verdict && <Verdict found={verdict} />}
      </div>
      <p class="why-not" role="alert">{why}</p>
    </Card>
  );
}

/** Unchanged and the books agree: well. Unchanged, but the books say something else by now: look. Changed: bad. */
export function Verdict({ found }: { found: ReportVerdict }) {
  const isSame = found.hash === found.today;
  return (
    <div class="said-here judged">
      {found.changed.length
        ? <Status tone="bad">{t("reports.changed", { places: found.changed.join(", ") })}</Status>
        : <Status tone="calm">{t("reports.sound")}</Status>}
      <Status tone={isSame ? "calm" : "look"}>{t(isSame ? "reports.same" : "reports.differs")}</Status>
      <p class="note">
        {found.name} · {word("report", found.kind)} {found.period} · {t("reports.made_at", { when: moment(found.made) })}
        {found.kept.length > 0 && ` · ${t("reports.is_kept")}`}
      </p>
      <p class="note">{t("reports.of_file")} <code>{found.hash}</code></p>
      {!isSame && <p class="note">{t("reports.of_books")} <code>{found.today}</code></p>}
    </div>
  );
}
