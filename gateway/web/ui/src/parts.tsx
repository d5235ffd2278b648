// Small pieces every view uses. Every state has a shape and a word beside its colour.
import type { ComponentChildren } from "preact";
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

/** A line through what was measured; null is a gap and stays one, undefined is a moment nothing was told of. */
export function Spark({ points, width = 96, height = 20, label, fromZero }: { points: (number | null | undefined)[]; width?: number; height?: number; label?: string; fromZero?: boolean }) {
  const known = points.filter((each): each is number => typeof each === "number");
  if (known.length < 2) return <svg class="spark" width={width} height={height} aria-hidden="true" />;
  const low = fromZero ? 0 : Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const flat = Math.max(...known) === low;
  const step = (width - 4) / Math.max(1, points.length - 1);
  let path = "";
  let isDrawn = false;
  points.forEach((point, i) => {
    if (point === undefined) return;
    if (point === null) {
      isDrawn = false;
      return;
    }
    const y = flat ? height / 2 : height - 3 - ((point - low) / span) * (height - 6);
    path += `${isDrawn ? "L" : "M"}${(2 + i * step).toFixed(1)} ${y.toFixed(1)}`;
    isDrawn = true;
  });
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : "true"}>
      <path d={path} />
    </svg>
  );
}

export function Loading() {
  return <p class="empty" role="status">{t("page.loading")}</p>;
}

export function Failed({ reason, retry }: { reason: string; retry?: () => void }) {
  return (
    <div class="empty" role="alert">
      <p>{t("page.failed", { reason })}</p>
      {retry && <button type="button" onClick={retry}>{t("page.retry")}</button>}
    </div>
  );
}
