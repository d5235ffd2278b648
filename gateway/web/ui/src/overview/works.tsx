// The gateway's own figures, its devices and its links: the whole view where nothing is metered.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Link } from "../api";
import { devices, rate, type State } from "../feed";
import { age, bytes, figure, seconds } from "../format";
import { useValue } from "../observable";
import { Card, Mark, Spark, Status, type Tone } from "../parts";
import { liveOf } from "../route";
import { PlantTree } from "../tree";
import { reason, t, word } from "../words";
import { outage, shareOf } from "./line";

export function Works({ said, children }: { said: State; children: ComponentChildren }) {
  return (
    <>
      <Figures said={said} />
      <div class="left">
        <Plant />
      </div>
      <div class="right">
        {children}
        <Links title={t("links.sinks")} links={said.links.filter((link) => link.role === "sink" || link.role === "history")} />
        <Links title={t("links.sources")} links={said.links.filter((link) => link.role === "source")} />
      </div>
    </>
  );
}

function Figures({ said }: { said: State }) {
  const { strip } = said;
  const past = useValue(rate);
  const tags = strip.good + strip.uncertain + strip.bad + strip.waiting;
  return (
    <div class="figures">
      <Figure
        title={t("figure.delivered")}
        value={figure(strip.lost)}
        unit={t("figure.lost")}
        tone={strip.lost ? "bad" : "calm"}
        note={t("figure.buffer", { rows: figure(strip.buffered), age: seconds(strip.oldest_s) })}
      />
      <Figure
        title={t("figure.tags")}
        value={figure(strip.good)}
        unit={t("figure.of", { all: figure(tags) })}
        tone={strip.bad ? "look" : "calm"}
        note={t("figure.quality", { bad: figure(strip.bad), uncertain: figure(strip.uncertain), waiting: figure(strip.waiting) })}
        go={strip.bad ? liveOf("", "bad") : liveOf("")}
      />
      <Figure
        title={t("figure.rate")}
        value={strip.rows_per_s === null ? "—" : figure(strip.rows_per_s, 3)}
        unit={t("figure.per_s")}
        tone="calm"
        note={<Spark points={past} width={180} height={20} fromZero label={t("figure.minute")} />}
      />
      <Figure
        title={t("figure.store")}
        value={bytes(strip.store_bytes).split(" ")[0] ?? ""}
        unit={bytes(strip.store_bytes).split(" ")[1] ?? ""}
        tone={strip.store_bytes > 0.9 * strip.max_bytes ? "look" : "calm"}
        note={t("figure.room", { all: bytes(strip.max_bytes), share: shareOf(strip.store_bytes / strip.max_bytes) }) + outage(strip.store_holds_s)}
      />
    </div>
  );
}

function Figure(given: { title: string; value: string; unit: string; tone: Tone; note: ComponentChildren; go?: string }) {
  const figures = (
    <>
      <h2>{given.title}</h2>
      <p class="big">
        {given.tone !== "calm" && <Mark tone={given.tone} />}
        <b>{given.value}</b> <span>{given.unit}</span>
      </p>
      <p class="note">{given.note}</p>
    </>
  );
  return given.go ? <a class="card figure" href={given.go}>{figures}</a> : <section class="card figure">{figures}</section>;
}

const TONES: Record<Link["state"], Tone> = { connected: "calm", connecting: "look", waiting: "bad", needs_a_person: "bad", stopped: "off" };

export function Links({ title, links }: { title: string; links: Link[] }) {
  const [all, showAll] = useState(false);
  // The history is beside the sinks and none of them.
  const counted = links.filter((link) => link.role !== "history");
  const up = counted.filter((link) => link.state === "connected").length;
  // What isn't well comes first; a plant of a hundred links shows eight, and all when asked.
  const sorted = [...links].sort((a, b) => Number(a.state === "connected") - Number(b.state === "connected"));
  const some = all ? sorted : sorted.slice(0, 8);
  return (
    <Card title={title} note={counted.length ? `${up}/${counted.length}` : undefined}>
      {counted.length === 0 && <p class="empty">{t("links.none")}</p>}
      <table class="links">
        <tbody>
          {some.map((link) => (
            <tr key={link.role + link.name}>
              <th scope="row" title={link.peer}>{link.role === "history" ? t("links.stored") : link.name}</th>
              <td class="kind">{link.role === "history" ? t("links.here") : word("kind", link.kind)}</td>
              <td><Status tone={TONES[link.state]}>{t(`state.${link.state}`)}</Status></td>
              <td class="num" title={reason(link.error, link.error_zh)}>{amount(link)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {links.length > some.length && <button class="more" type="button" onClick={() => showAll(true)}>{t("links.all", { n: links.length })}</button>}
    </Card>
  );
}

function amount(link: Link): string {
  if (link.state !== "connected") return link.since ? t("needs.since", { age: age(link.since) }) : "";
  if (link.role === "source") return t("links.rows", { n: figure(link.rows) });
  if (link.role === "history") return t("links.history", { size: bytes(link.bytes), age: seconds(link.lag_s) });
  return t("links.lag", { rows: figure(link.buffered), age: seconds(link.lag_s) });
}

export function Plant() {
  const known = useValue(devices);
  const list = [...known.values()];
  const well = list.filter((device) => device.state === "good").length;
  const tags = list.reduce((sum, device) => sum + device.tags, 0);
  const note = `${t("tree.well", { well: figure(well), all: figure(list.length) })} · ${t("tree.tags", { n: figure(tags) })}`;
  return (
    <Card title={t("tree.title")} note={list.length ? note : undefined} label="plant">
      {list.length ? <PlantTree devices={list} /> : <p class="empty">{t("tree.none")}</p>}
    </Card>
  );
}
