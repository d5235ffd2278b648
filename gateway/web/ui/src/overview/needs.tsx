// What waits for a person, the urgent first.
import type { Attention } from "../api";
import { age, figure } from "../format";
import { Card, Mark, Status } from "../parts";
import { liveOf } from "../route";
import { reason, t, type Key } from "../words";

export function Needs({ attention, most = 6 }: { attention: Attention[]; most?: number }) {
  return (
    <Card title={t("needs.title")} note={attention.length ? figure(attention.length) : undefined}>
      {attention.length === 0 ? (
        <p class="empty"><Status tone="calm">{t("needs.none")}</Status></p>
      ) : (
        <ul class="needs">
          {attention.slice(0, most).map((each) => (
            <li key={each.code + each.subject}>
              <Mark tone={each.urgent ? "bad" : "look"} />
              <div>
                <p>{t(`needs.${each.code}` as Key, { subject: each.subject, n: figure(each.count) })}</p>
                {each.reason && <p class="reason">{reason(each.reason, each.reason_zh)}{each.since ? ` · ${t("needs.since", { age: age(each.since) })}` : ""}</p>}
              </div>
              {each.code.startsWith("device_") && <a href={liveOf(each.subject, "bad")}>{t("needs.see")}</a>}
            </li>
          ))}
        </ul>
      )}
      {attention.length > most && <p class="note more">{t("needs.more", { n: figure(attention.length - most) })}</p>}
    </Card>
  );
}
