// The frame: a rail of words on the left, a strip on top that never leaves, the view between.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { connection, now, state } from "./feed";
import { clock, figure, seconds } from "./format";
import { useValue } from "./observable";
import { Overview } from "./overview";
import { Failed, Loading, Status, type Tone } from "./parts";
import { route } from "./route";
import { learn, session } from "./session";
import { nextTheme, theme } from "./theme";
import { WhyView } from "./why";
import { language, speak, t, type Key } from "./words";

const VIEWS = ["overview", "energy", "carbon", "reports", "live", "trend", "why", "alarms", "delivery", "topics", "config"] as const;
const LATER = {
  live: () => import("./live/view"),
  trend: () => import("./trend/view"),
  energy: () => import("./energy/view"),
  carbon: () => import("./carbon/view"),
  reports: () => import("./reports/view"),
  alarms: () => import("./alarms/view"),
  delivery: () => import("./delivery/view"),
  topics: () => import("./topics/view"),
  config: () => import("./config/view"),
  account: () => import("./account/view"),
  door: () => import("./account/door"),
};

/** The charts' code comes when it is first wanted; most who look never do. */
function Later({ view }: { view: keyof typeof LATER }) {
  const [View, show] = useState<ComponentType | null>(null);
  const [error, fail] = useState("");
  useEffect(() => {
    show(null);
    LATER[view]().then((chunk) => show(() => chunk.default), () => fail(t("page.unreached")));
  }, [view]);
  if (error) return <Failed reason={error} retry={() => location.reload()} />;
  return View ? <View /> : <Loading />;
}

/** Nothing is shown before it is known who looks. */
export function App() {
  const who = useValue(session);
  const speaks = useValue(language);
  const [error, fail] = useState("");
  const look = (): void => {
    fail("");
    learn().catch((reason: Error) => fail(reason.message));
  };
  useEffect(() => {
    if (!session.get()) look();
  }, []);
  useEffect(() => {
    document.documentElement.lang = speaks;
  }, [speaks]);
  if (error) return <Failed reason={error} retry={look} />;
  if (!who) return <Loading />;
  if (who.state === "sign_in") return <Later view="door" />;
  if (who.must_change) return <main id="view"><Later view="account" /></main>;
  return <Frame />;
}

function Frame() {
  const at = useValue(route);
  const speaks = useValue(language);
  const isLost = useValue(connection) === "lost";
  const [, grow] = useState(0);
  // Nothing comes that would draw it anew, and yet all of it grows older.
  useEffect(() => {
    if (!isLost) return;
    const timer = window.setInterval(() => grow((times) => times + 1), 1000);
    return () => window.clearInterval(timer);
  }, [isLost]);
  useEffect(() => {
    document.title = `${t(`nav.${at.view}` as Key)} · ${state.get()?.strip.site ?? t("page.name")}`;
  }, [speaks, at.view]);
  return (
    <div class={isLost ? "frame stale" : "frame"}>
      <a class="skip" href="#view" onClick={(event) => { event.preventDefault(); document.getElementById("view")?.focus(); }}>{t("nav.skip")}</a>
      <Rail view={at.view} />
      <TopStrip />
      <main id="view" tabIndex={-1}>
        <Lost />
        {at.view === "overview" && <Overview />}
        {at.view in LATER && at.view !== "door" && <Later key={at.view} view={at.view as keyof typeof LATER} />}
        {at.view === "why" && <WhyView path={at.rest} />}
        {!(VIEWS as readonly string[]).includes(at.view) && at.view !== "account" && <Nowhere />}
      </main>
    </div>
  );
}

function Nowhere() {
  return (
    <>
      <h1 class="hidden">{t("page.name")}</h1>
      <p class="empty">{t("page.nowhere")}</p>
    </>
  );
}

function Rail({ view }: { view: string }) {
  const strip = useValue(state)?.strip;
  return (
    <nav class="rail" aria-label={t("nav.views")}>
      <div class="brand">{t("page.name")}</div>
      {VIEWS.map((each) => (
        <a key={each} href={`#/${each}`} aria-current={each === view ? "page" : undefined}>{t(`nav.${each}`)}</a>
      ))}
      {strip && <p class="id">{t("strip.gateway", { id: strip.gateway })}</p>}
    </nav>
  );
}

function tone(up: number, all: number): Tone {
  return up === all ? "calm" : up === 0 ? "bad" : "look";
}

function TopStrip() {
  const said = useValue(state);
  const chosen = useValue(theme);
  const other = language.get() === "zh" ? "en" : "zh";
  const strip = said?.strip;
  return (
    <header class="strip" aria-label={t("strip.label")}>
      <strong class="site">{strip?.site ?? ""}</strong>
      {strip && (
        <>
          <Status tone={tone(strip.sources_up, strip.sources)}>{t("strip.links", { up: strip.sources_up, all: strip.sources })}</Status>
          <Status tone={tone(strip.sinks_up, strip.sinks)}>{t("strip.sinks", { up: strip.sinks_up, all: strip.sinks })}</Status>
          <Status tone={strip.lost ? "bad" : strip.oldest_s > 60 ? "look" : "calm"}>
            {t("strip.buffer", { lost: figure(strip.lost), rows: figure(strip.buffered), age: seconds(strip.oldest_s) })}
          </Status>
          {strip.alarms > 0 && (
            <Status tone={strip.unacknowledged ? "bad" : "look"}>
              <a href="#/alarms">{t("strip.alarms", { active: figure(strip.alarms), unacknowledged: figure(strip.unacknowledged) })}</a>
            </Status>
          )}
        </>
      )}
      <span class="space" />
      {strip && <time class="clock" title={strip.zone}>{clock(now())}</time>}
      {strip && <span class="zone">{strip.zone}</span>}
      <Account />
      <button type="button" lang={other} onClick={() => speak(other)}>{other === "zh" ? "中文" : "English"}</button>
      <button type="button" onClick={nextTheme}>{t("theme.label", { theme: t(`theme.${chosen}`) })}</button>
    </header>
  );
}

function Account() {
  const who = useValue(session);
  return <a class="account-link" href="#/account">{who?.name || t("account.set_up_short")}</a>;
}

function Lost() {
  const how = useValue(connection);
  const said = useValue(state);
  if (how === "lost") return <p class="banner" role="alert">{t("page.lost")}</p>;
  if (said && !said.strip.answers) return <p class="banner" role="alert">{t("page.silent")}</p>;
  return null;
}
