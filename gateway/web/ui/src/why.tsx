// Why is it bad, since when, what do I do? The way of the value as a vertical path.
import { useEffect, useState } from "preact/hooks";
import type { Fact, Step, Why } from "./api";
import { ask, watch } from "./feed";
import { Finder } from "./finder";
import { age, bytes, figure, moment, seconds, shown } from "./format";
import { Card, Failed, Loading, Status, type Tone } from "./parts";
import { qualityWord, toneOf } from "./quality";
import { trendOf, whyOf } from "./route";
import { type Key, reason, t, unitWord, word } from "./words";

export function WhyView({ path }: { path: string }) {
  useEffect(() => watch([], false), []);
  return (
    <div class="why">
      <h1>{t("nav.why")}</h1>
      <Finder label={t("why.search")} suggests={!path} hrefOf={whyOf} />
      {path ? <Way key={path} path={path} /> : <p class="empty">{t("why.choose")}</p>}
    </div>
  );
}

function Way({ path }: { path: string }) {
  const [why, show] = useState<Why | null>(null);
  const [error, fail] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    let waits = false;
    const look = () => {
      // One question at a time: a slow answer must not come after a newer one.
      if (document.hidden || waits) return;
      waits = true;
      ask<Why>("why", { tag: path }, stop.signal).then(
        (answer) => {
          show(answer);
          fail("");
        },
        (reason: Error) => reason.name !== "AbortError" && fail(reason.message),
      ).finally(() => (waits = false));
    };
    look();
    const timer = window.setInterval(look, 2000);
    return () => {
      window.clearInterval(timer);
      stop.abort();
    };
  }, [path]);
  if (error && !why) return <Failed reason={error} />;
  if (!why) return <Loading />;
  const { tag, steps, cause } = why;
  const slash = path.lastIndexOf("/");
  const blamed = cause === null ? null : steps[cause];
  return (
    <>
      <section class="card said" aria-label={path}>
        <div>
          <h2>{path.slice(slash + 1)}</h2>
          <p class="note">{path.slice(0, slash)} · <a href={trendOf([path])}>{t("nav.trend")}</a></p>
        </div>
        <p class="big"><b>{shown(tag.value)}</b> <span>{unitWord(tag.unit)}</span></p>
        <dl>
          <div><dt>{t("live.quality")}</dt><dd><Status tone={toneOf(tag.quality)}>{qualityWord(tag)}</Status></dd></div>
          <div><dt>{t("why.source_time")}</dt><dd>{tag.time === null ? "—" : moment(tag.time)}</dd></div>
          <div><dt>{t("why.read")}</dt><dd>{tag.arrived === null ? "—" : t("why.ago", { age: age(tag.arrived) })}</dd></div>
        </dl>
      </section>
      <section class={`card next ${blamed ? TONES[blamed.state] : "calm"}`} aria-label={t("why.next")}>
        <h2>{t("why.next")}</h2>
        <p>{t(`action.${why.action}` as Key, { name: blamed?.name ?? "" })}</p>
      </section>
      <Card title={t("why.way")} label="way">
        <ol class="path">
          {steps.map((step, i) => <Station key={`${step.step}${step.name}`} step={step} isCause={i === cause} />)}
        </ol>
      </Card>
    </>
  );
}

const TONES: Record<Step["state"], Tone> = { good: "calm", warning: "look", bad: "bad", blocked: "off", unknown: "off", off: "off" };

function Station({ step, isCause }: { step: Step; isCause: boolean }) {
  const facts = step.facts.filter((fact) => fact.value !== "");
  return (
    <li class={`${TONES[step.state]} ${isCause ? "cause" : ""}`}>
      <div class="what">
        <h3>{t(`step.${step.step}`)}{step.name && <span> {step.name}</span>}</h3>
        <Status tone={TONES[step.state]}>{t(`stepstate.${step.state}`)}</Status>
      </div>
      <div class="when">
        {step.good_at === null && step.clean && step.state === "blocked" ? (
          <p class="reason">{t("why.untried")}</p>
        ) : (
          <>
            <p>{step.good_at === null ? t("why.never") : t("why.good", { when: moment(step.good_at), age: age(step.good_at) })}</p>
            <p class="reason">{past(step)}</p>
          </>
        )}
      </div>
      {facts.length > 0 && (
        <p class="facts">
          {facts.map((fact, i) => (
            <span key={fact.name}>{word("fact", fact.name)} <b>{told(fact)}</b>{i < facts.length - 1 && " ·"}</span>
          ))}
        </p>
      )}
    </li>
  );
}

function past(step: Step): string {
  if (!step.error) return t(step.clean ? "why.no_error" : "why.not_kept");
  return t("why.error", { reason: reason(step.error, step.error_zh), when: step.error_at === null ? t("why.unknown") : moment(step.error_at) });
}

function told({ name, value, unit }: Fact): string {
  if (typeof value === "string") return name === "kind" ? word("kind", value) : value;
  switch (unit) {
    case "at":
      return moment(value);
    case "bytes":
      return bytes(value);
    case "s":
      return seconds(value);
    case "ms":
      return `${figure(value, 3)} ms`;
    default:
      return figure(value);
  }
}
