// Small pieces every view uses. Every state has a shape and a word beside its colour.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { t } from "./words";

export type Tone = "calm" | "look" | "bad" | "off";

const SHAPES: Record<Tone, string> = {
  calm: "M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z",
  look: "M8 2L15 14H1z",
  bad: "M2.5 2.5h11v11h-11z",
  off: "M2 7h12v2H2z",
};

/** Circle: well. Triangle: look. Square: act. Bar: not in use. */
export function Mark({ tone }: { tone: Tone }) {
  return (
    <svg class={`mark ${tone}`} viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
      <path d={SHAPES[tone]} />
    </svg>
  );
}

export function Status({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`status ${tone}`}>
      <Mark tone={tone} />
      <span>{children}</span>
    </span>
  );
}

export function Card({ title, note, label, children }: { title: string; note?: ComponentChildren; label?: string; children: ComponentChildren }) {
  return (
    <section class={`card ${label ?? ""}`} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
      </header>
      {children}
    </section>
  );
}

/** What is wider than its card scrolls by itself, also with the keyboard; on a phone a table's rows are lists, each cell named by its column. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const table = box.current?.querySelector("table");
    const heads = [...(table?.tHead?.rows[0]?.cells ?? [])];
    for (const row of table?.tBodies[0]?.rows ?? []) {
      const spanned = heads.length - row.cells.length; // by a cell of the rows above
      [...row.cells].forEach((cell, i) => (cell.dataset.head = heads[spanned + i]?.textContent ?? ""));
    }
  });
  return <div class="wide" role="group" tabIndex={0} aria-label={label} ref={box}>{children}</div>;
}

interface Size {
  width?: number;
  height?: number;
}

/** A line through what was measured, as an SVG path; null is a gap and stays one, undefined is a moment nothing was told of. */
export function pathOf(points: (number | null | undefined)[], { width = 96, height = 20, fromZero = false }: Size & { fromZero?: boolean } = {}): string {
  let low = fromZero ? 0 : Infinity;
  let high = -Infinity;
  let known = 0;
  for (const point of points) {
    if (typeof point !== "number") continue;
    known += 1;
    if (point < low) low = point;
    if (point > high) high = point;
  }
  if (known < 2) return "";
  const span = high - low || 1;
  const step = (width - 4) / Math.max(1, points.length - 1);
  let path = "";
  let isDrawn = false;
  points.forEach((point, i) => {
    if (point === undefined) return;
    if (point === null) {
      isDrawn = false;
      return;
    }
    const y = high === low ? height / 2 : height - 3 - ((point - low) / span) * (height - 6);
    path += `${isDrawn ? "L" : "M"}${Math.round(10 * (2 + i * step)) / 10} ${Math.round(10 * y) / 10}`;
    isDrawn = true;
  });
  return path;
}

export function Line({ path, width = 96, height = 20, label }: Size & { path: string; label?: string }) {
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : "true"}>
      {path && <path d={path} />}
    </svg>
  );
}

export function Spark({ points, label, ...size }: Size & { points: (number | null | undefined)[]; label?: string; fromZero?: boolean }) {
  return <Line path={pathOf(points, size)} width={size.width} height={size.height} label={label} />;
}

export function Loading() {
  return <p class="empty" role="status">{t("page.loading")}</p>;
}

/** `view` names it where nothing else of the view is there. */
export function Failed({ reason, retry, view }: { reason: string; retry?: () => void; view?: string }) {
  return (
    <>
      {view && <h1>{view}</h1>}
      <div class="empty" role="alert">
        <p>{t("page.failed", { reason })}</p>
        {retry && <button type="button" onClick={retry}>{t("page.retry")}</button>}
      </div>
    </>
  );
}
