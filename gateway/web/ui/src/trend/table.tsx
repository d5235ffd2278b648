// The numbers themselves: beside the chart what it shows at the cursor, and on demand every row as a table.
import { useMemo, useState } from "preact/hooks";
import type { TrendLine, Trends } from "../api";
import { figure, moment, shown } from "../format";
import { useValue } from "../observable";
import { Status, Wide } from "../parts";
import { devicePath, qualityWord, toneOf } from "../quality";
import { whyOf } from "../route";
import { language, t, unitWord, word } from "../words";
import { wordOf } from "./bands";
import type { Drawn } from "./chart";
import { iso } from "../zone";
import { isNumeric, rowAt, spanOf } from "./shape";
import { newest } from "../feed";

/** Which line is whose, and what it says at the cursor, else now. */
export function Legend({ drawn, from, to, cursor, isLive, remove }: { drawn: Drawn[]; from: number; to: number; cursor: number | null; isLive: boolean; remove: (path: string) => void }) {
  return (
    <Wide label={t("energy.legend")}><table class="legend">
      <thead>
        <tr>
          <th scope="col">{t("trend.tag")}</th>
          <th scope="col" class="num">{cursor !== null ? t("trend.at") : isLive ? t("trend.now") : t("trend.last")}</th>
          <th scope="col" class="num">{t("trend.least")}</th>
          <th scope="col" class="num">{t("trend.greatest")}</th>
          <th scope="col" class="num">{t("trend.mean")}</th>
          <th scope="col">{t("live.unit")}</th>
          <th scope="col">{t("live.quality")}</th>
          <th><span class="hidden">{t("trend.remove", { tag: "" })}</span></th>
        </tr>
      </thead>
      <tbody>
        {drawn.map(({ track, colour }) => {
          const { line } = track;
          const cut = line.path.lastIndexOf("/");
          const row = rowAt(track, cursor ?? to);
          const value = row < 0 ? null : (track.y[row] ?? null);
          const span = isNumeric(line) ? spanOf(track, from, to) : null;
          const now = isLive && cursor === null ? newest.get().get(line.number) : undefined;
          const quality = now ? now.quality : row < 0 ? null : (track.quality[row] as number);
          const said = now ? shown(now.value) : row < 0 ? "—" : isNumeric(line) ? (value === null ? "—" : figure(value)) : (wordOf(track)(row) ?? "—");
          const number = (each: number | null | undefined) => (each === null || each === undefined ? "—" : figure(each));
          return (
            <tr key={line.path}>
              <th scope="row">
                <i class="swatch" style={{ background: colour }} />
                <a href={whyOf(line.path)} title={line.path}>{line.path.slice(cut + 1)}</a> <span class="note">{devicePath(line.path.slice(0, cut))}</span>
              </th>
              <td class="num reading">{said}</td>
              <td class="num">{number(span?.least)}</td>
              <td class="num">{number(span?.greatest)}</td>
              <td class="num">{number(span?.mean)}</td>
              <td>{unitWord(line.unit)}</td>
              <td><Status tone={toneOf(quality)}>{quality === null ? t("trend.nothing_known") : now ? qualityWord(now) : severityWord(quality)}</Status></td>
              <td><button type="button" class="remove" aria-label={t("trend.remove", { tag: line.path })} title={t("trend.remove", { tag: line.path })} onClick={() => remove(line.path)}>×</button></td>
            </tr>
          );
        })}
      </tbody>
    </table></Wide>
  );
}

const severityWord = (quality: number): string => word("quality", quality >= 0x80000000 ? "Bad" : quality >= 0x40000000 ? "Uncertain" : "Good");

const PAGE = 200;

/** Every row of the answer, in full precision; opened on demand. */
export function Values({ answer }: { answer: Trends }) {
  const [open, setOpen] = useState(false);
  const [count, more] = useState(PAGE);
  const speaks = useValue(language);
  // Drawn anew with an answer, not with every second.
  const rows = useMemo(() => (open ? <Rows answer={answer} count={count} more={() => more(count + PAGE)} /> : null), [answer, open, count, speaks]);
  return (
    <details class="values" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t("trend.table")}</summary>
      {rows}
    </details>
  );
}

function Rows({ answer, count, more }: { answer: Trends; count: number; more: () => void }) {
  const lines = answer.lines.filter((line) => line.time.length);
  const times = [...new Set(lines.flatMap((line) => line.time))].sort((a, b) => b - a);
  const places = lines.map((line) => new Map(line.time.map((time, i) => [time, i])));
  return (
    <div class="scroller" tabIndex={0} role="group" aria-label={t("trend.table")}>
      <table>
        <caption class="hidden">{t("trend.caption")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("trend.time")}</th>
            {lines.map((line) => <th key={line.path} scope="col" class="num" title={line.path}>{heading(line)}</th>)}
          </tr>
        </thead>
        <tbody>
          {times.slice(0, count).map((time) => (
            <tr key={time}>
              <th scope="row"><time dateTime={iso(time)}>{moment(time)}</time></th>
              {lines.map((line, j) => <td key={line.path} class="num">{cell(line, places[j]?.get(time))}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {times.length > count && <button class="more" type="button" onClick={more}>{t("trend.more", { n: figure(times.length - count) })}</button>}
    </div>
  );
}

const heading = (line: TrendLine): string => `${line.path.split("/").slice(-2).join("/")}${line.unit && ` (${unitWord(line.unit)})`}`;

function cell(line: TrendLine, i: number | undefined): string {
  if (i === undefined) return "";
  const said = known(line, i);
  // A stretch that has readings and lost some: the line is broken in it, and so says the table.
  if (said === null) return t("trend.gap");
  return line.bad[i] ? t("trend.with_gap", { value: said }) : said;
}

function known(line: TrendLine, i: number): string | null {
  if (line.form === "words") return line.text[i] ?? null;
  const value = line.value[i] ?? null;
  if (value === null) return null;
  if (line.form === "switch") return shown(Boolean(value));
  if (!line.width) return figure(value, 17);
  return t("trend.cell", { value: figure(value, 10), least: figure(line.low[i] ?? value, 10), greatest: figure(line.high[i] ?? value, 10) });
}
