// One strip of states: is the gateway itself working?
import { rate, type State } from "../feed";
import { bytes, figure, seconds } from "../format";
import { useValue } from "../observable";
import { Spark, Status } from "../parts";
import { liveOf } from "../route";
import { t } from "../words";

export const shareOf = (part: number): string => (part < 0.001 ? "< 0.1" : (100 * part).toFixed(1));

/** How long the store can hold what comes in while nobody takes it, as more of a sentence. */
export const outage = (holds: number | null): string => (holds === null ? "" : t("today.outage", { time: seconds(holds) }));

export function StateLine({ said }: { said: State }) {
  const { strip, attention } = said;
  const past = useValue(rate);
  const tags = strip.good + strip.uncertain + strip.bad + strip.waiting;
  const waits = attention.length;
  return (
    <section class="line card" aria-label={t("today.strip")}>
      <Status tone={!waits ? "calm" : attention.some((each) => each.urgent) ? "bad" : "look"}>{waits ? t("today.waits", { n: figure(waits) }) : t("today.well")}</Status>
      <a href={strip.bad ? liveOf("", "bad") : liveOf("")}>
        <Status tone={strip.bad ? "look" : "calm"}>{t("today.tags", { good: figure(strip.good), all: figure(tags) })}</Status>
      </a>
      <span class="rate">{t("today.rate", { n: strip.rows_per_s === null ? "—" : figure(strip.rows_per_s, 3) })} <Spark points={past} width={96} height={16} fromZero label={t("figure.minute")} /></span>
      <Status tone={strip.store_bytes > 0.9 * strip.max_bytes ? "look" : "calm"}>{t("today.store", { size: bytes(strip.store_bytes), share: shareOf(strip.store_bytes / strip.max_bytes) })}{outage(strip.store_holds_s)}</Status>
    </section>
  );
}
