// Digits of numbers, as Intl writes them for en-US, without its first use, which takes a slow machine 0.1 s.

/** A number that is not negative, in decimal to so many places, half away from zero of what is written: 12.85 is 12.9, though it is stored as a little less. */
export function placed(size: number, places: number): string {
  const written = String(size);
  if (written.includes("e") || !Number.isFinite(size)) return grouped(size.toFixed(places));
  const [whole = "", part = ""] = written.split(".");
  const kept = whole + part.slice(0, places).padEnd(places, "0");
  const digits = String(BigInt(kept) + ((part[places] ?? "0") >= "5" ? 1n : 0n)).padStart(places + 1, "0");
  return grouped(places ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits);
}

/** The same with at most so many significant digits, and no zeros behind the last of them. */
export function significant(size: number, most: number): string {
  const places = most - 1 - Number(size.toExponential().split("e")[1]);
  const text = placed(size, Math.max(0, places));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function grouped(text: string): string {
  const [whole = "", part] = text.split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? `.${part}` : "");
}
