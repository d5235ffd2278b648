// Is it working? What does the plant draw and cost now? Is anything waiting for me?
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Today, TodayCurve } from "./api";
import { useAnswer } from "./energy/data";
import { first } from "./first";
import { connection, state, watch, type State } from "./feed";
import { useValue } from "./observable";
import { Card, Loading } from "./parts";
import { language, t } from "./words";
import { Consumers, Demands } from "./overview/supply";
import { Bigs } from "./overview/bigs";
import { Needs } from "./overview/needs";
import { StateLine } from "./overview/line";
import { Links, Plant, Works } from "./overview/works";
import "./overview/overview.css";

const SOON = 2_000;
const AGAIN = 15_000;
const CURVE_AGAIN = 60_000;
/** Nothing is booked yet: the first quarter of an hour may come at any moment. */
const CURVE_SOON = 10_000;
const SOME_NEEDS = 3;
/** Books that take longer to read leave the state of delivery to be seen without them. */
const PATIENCE = 1_000;

export function Overview() {
  const said = useValue(state);
  useEffect(() => watch([], true), []);
  useValue(connection);
  useValue(language);
  const [waited, wait] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => wait(true), PATIENCE);
    return () => window.clearTimeout(timer);
  }, []);
  const [every, ask] = useState({ today: AGAIN, curve: CURVE_AGAIN });
  const { answer: today, error } = useAnswer<Today>("today", {}, every.today, first.today);
  const { answer: curve } = useAnswer<TodayCurve>("today/curve", today?.has_meters ? {} : null, every.curve);
  const wanted = { today: today?.is_pending ? SOON : AGAIN, curve: curve?.is_pending ? SOON : curve && !curve.today ? CURVE_SOON : CURVE_AGAIN };
  useEffect(() => ask(wanted), [wanted.today, wanted.curve]);
  // Beside the stream, and both before anything is drawn: nothing moves to another place when the second comes.
  const isRead = today || error;
  if (!said || !(isRead || waited)) return <Loading />;
  if (!isRead) return <Unread said={said} />;
  if (today?.has_meters) return <OfToday said={said} today={today} curve={curve} />;
  return (
    <div class="overview">
      <h1 class="hidden">{t("nav.overview")}</h1>
      <Works said={said}>
        <Needs attention={said.attention} />
        {today && (
          <Card title={t("today.fill")} label="fill">
            <p class="empty">{t("today.no_meters")} <span class="note">{t("today.how")}</span></p>
          </Card>
        )}
        {!today && error && <Card title={t("today.fill")}><p class="empty">{t("today.failed", { reason: error })}</p></Card>}
      </Works>
    </div>
  );
}

/** What is known before the books are: is it working, does anything wait? */
function Unread({ said }: { said: State }) {
  return (
    <div class="overview today">
      <h1 class="hidden">{t("nav.overview")}</h1>
      <StateLine said={said} />
      <Card title={t("today.curve")} label="plotted"><Loading /></Card>
      <div class="right"><Needs attention={said.attention} most={SOME_NEEDS} /></div>
    </div>
  );
}

function OfToday({ said, today, curve }: { said: State; today: Today; curve: TodayCurve | null }) {
  const [isOpen, open] = useState(false);
  return (
    <div class="overview today">
      <h1 class="hidden">{t("nav.overview")}</h1>
      <StateLine said={said} />
      <Bigs today={today} />
      <Curve today={today} curve={curve} />
      <div class="right">
        <Needs attention={said.attention} most={SOME_NEEDS} />
        <Demands demands={today.demands} />
        <Consumers today={today} />
      </div>
      <details class="machines" onToggle={(event) => open(event.currentTarget.open)}>
        <summary>{t("today.works")}</summary>
        {isOpen && (
          <div class="both">
            <Plant />
            <div>
              <Links title={t("links.sinks")} links={said.links.filter((link) => link.role === "sink" || link.role === "history")} />
              <Links title={t("links.sources")} links={said.links.filter((link) => link.role === "source")} />
            </div>
          </div>
        )}
      </details>
    </div>
  );
}

/** The charts' code comes behind the figures. */
function Curve({ today, curve }: { today: Today; curve: TodayCurve | null }) {
  const [View, show] = useState<ComponentType<{ today: Today; curve: TodayCurve }> | null>(null);
  const [error, fail] = useState("");
  useEffect(() => {
    import("./overview/curve").then((chunk) => show(() => chunk.default), () => fail(t("page.unreached")));
  }, []);
  if (View && curve) return <View today={today} curve={curve} />;
  return <Card title={t("today.curve")} label="plotted">{error ? <p class="empty">{t("page.failed", { reason: error })}</p> : <Loading />}</Card>;
}
