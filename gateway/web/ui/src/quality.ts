// Whether to believe a value, in words and in a tone.
import type { TagRow } from "./api";
import type { Tone } from "./parts";
import { t, word } from "./words";

export function toneOf(quality: number | null): Tone {
  if (quality === null) return "off";
  return quality >= 0x80000000 ? "bad" : quality >= 0x40000000 ? "look" : "calm";
}

/** The quality in words; a name the catalogue doesn't know keeps the specification's. */
export function qualityWord(row: Pick<TagRow, "quality" | "quality_name">): string {
  if (row.quality === null) return t("quality.none");
  return word("quality", row.quality_name);
}

/** The site is on top of the page and levels that are left out say nothing. */
export function devicePath(path: string): string {
  return path.split("/").slice(1).filter((level) => level !== "-").join(" / ");
}
