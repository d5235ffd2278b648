// Demand against what may be drawn, and who draws most.
import type { Today, TodayDemand } from "../api";
import { now } from "../feed";
import { aligned, figure } from "../format";
import { share } from "../energy/share";
import { Card, Mark, type Tone } from "../parts";
import { language, t } from "../words";
import { dayOf, inField, inZone } from "../zone";

/** The gauge goes on behind the limit. */
const WIDE = 1.15;
const SHOWN = 5;
/** From here on it matters what may still be used. */
const NEAR = 0.7;

export function Demands({ demands }: { demands: TodayDemand[] }) {
  if (!demands.length) return null;
  return <>{demands.map((each) => <Demand key={each.subject} found={each} />)}</>;
}

function Demand({ found }: { found: TodayDemand }) {
  const [present, limit, highest] = [found.present, found.limit, found.highest].map((each) => (each === null ? null : Number(each))) as [number | null, number | null, number | null];
  const part = present !== null && limit ? present / limit : null;
  const tone: Tone = part === null || part < found.warn_at ? "calm" : part < 1 ? "look" : "bad";
  const kw = (value: number): string => figure(value, 4);
  return (
    <Card title={`${t("today.demand")} · ${found.subject}`} label="demand" note={limit === null || !found.limit_by ? undefined : t(`today.limit.${found.limit_by}`, { kw: kw(limit) })}>
      <p class="present">
        {tone !== "calm" && <Mark tone={tone} />}
        {present === null ? t("today.no_demand") : <>{t(found.is_forecast ? "today.forecast" : "today.quarter")} <b>{kw(present)}</b> kW{part !== null && <span class="note"> {t("today.of_limit", { share: share(part) })}</span>}</>}
      </p>
      {(present !== null || highest !== null) && <Gauge found={found} present={present} limit={limit} highest={highest} tone={tone} />}
      {highest !== null && <p class="note">{t("today.highest", { kw: kw(highest), at: found.highest_at === null ? "" : at(found.highest_at) })}</p>}
      {found.may_use !== null && part !== null && part >= NEAR && <p class="note">{Number(found.may_use) < 0 ? t("today.over") : t("today.may_use", { kw: kw(Number(found.may_use)) })}</p>}
      {found.wanted.map((each) => <p class="note lack" key={each.choice}>{each[language.get()]}</p>)}
    </Card>
  );
}

/** Month, day and clock; today's clock alone. */
function at(time: number): string {
  const field = inField(time);
  if (dayOf(time) === dayOf(now())) return field.slice(11, 16);
  if (language.get() === "zh") return field.slice(5, 16).replace("T", " ");
  return inZone("en-GB", { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(time);
}

function Gauge({ found, present, limit, highest, tone }: { found: TodayDemand; present: number | null; limit: number | null; highest: number | null; tone: Tone }) {
  const most = Math.max(limit ?? 0, present ?? 0, highest ?? 0) * WIDE || 1;
  const place = (value: number): string => `${Math.max(0, Math.min(100, (100 * value) / most)).toFixed(2)}%`;
  const label = t("today.gauge", { subject: found.subject, kw: present === null ? "—" : figure(present, 4), share: limit && present !== null ? share(present / limit) : "" });
  return (
    <div class="gauge" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={Math.round(limit ?? most)} aria-valuenow={Math.round(present ?? 0)} aria-valuetext={label}>
      {present !== null && <i class={`fill ${tone}`} style={{ width: place(present) }} />}
      {highest !== null && <i class="highest" style={{ left: place(highest) }} />}
      {limit !== null && <i class="limit" style={{ left: place(limit) }} />}
    </div>
  );
}

export function Consumers({ today }: { today: Today }) {
  const some = today.consumers.slice(0, SHOWN);
  const most = Math.max(...some.map((each) => Number(each.value)), 0) || 1;
  const digits = most < 1000 ? 1 : 0;
  return (
    <Card title={t("today.consumers")} label="consumers" note={some.length ? `${t("today.of_all", { n: figure(some.length), all: figure(today.metered) })} · kWh` : undefined}>
      {some.length === 0 && <p class="empty">{today.is_pending ? t("today.pending") : t("today.no_consumers")}</p>}
      <table>
        <tbody>
          {some.map((each) => (
            <tr key={each.meter}>
              <th scope="row" title={each.node}><a href={`#/energy?${new URLSearchParams({ at: each.meter, metric: "energy", span: "today" })}`}>{each.title || each.meter}</a></th>
              <td class="bar" aria-hidden="true"><i style={{ width: `${((100 * Number(each.value)) / most).toFixed(1)}%` }} /></td>
              <td class="num">{aligned(Number(each.value), digits)}</td>
              <td class="num part">{each.part === null ? "—" : share(each.part)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
