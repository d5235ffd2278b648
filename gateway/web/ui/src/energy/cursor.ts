// Arrow keys move a chart's cursor from row to row.

/** Where a key puts the cursor: a row, null for none; undefined where the key means nothing here. */
export function moved(key: string, cursor: number | null, rows: number): number | null | undefined {
  const last = rows - 1;
  if (last < 0) return undefined;
  if (key === "ArrowLeft") return Math.max(0, (cursor ?? last + 1) - 1);
  if (key === "ArrowRight") return Math.min(last, (cursor ?? -1) + 1);
  if (key === "Home") return 0;
  if (key === "End") return last;
  return key === "Escape" ? null : undefined;
}
