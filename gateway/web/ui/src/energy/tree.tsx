// site / workshop / line / machine and their meters: what one can ask of, by a click or with the keys.
import type { EnergyMeter, EnergyPlant } from "../api";
import { t } from "../words";

interface Leaf {
  subject: string;
  name: string;
  level: number;
  meter: EnergyMeter | null;
  media: string[];
}

/** What goes back or only turns around: shown when one asks for it, for nearly every meter counts it beside. */
const BESIDE = /^electricity_(export|reactive)/;

/** Places in their order, the meters of each below it; a place that only holds one meter of its own name is that meter. */
export function leavesOf(plant: EnergyPlant, medium: string, subject: string): Leaf[] {
  const shown = plant.meters.filter((each) => !BESIDE.test(each.medium) || each.medium === medium || each.name === subject);
  const places = plant.places.filter((place) => place.path === plant.site || shown.some((each) => `${each.node}/`.startsWith(`${place.path}/`)));
  return places.flatMap((place) => {
    const level = place.path.split("/").length - 1;
    const here = shown.filter((each) => each.node === place.path);
    const name = place.path.split("/").at(-1) ?? place.path;
    const meters = here.map((meter): Leaf => ({ subject: meter.name, name: meter.title || meter.name, level: level + 1, meter, media: [meter.medium] }));
    if (here.length === 1 && level > 0 && (here[0] as EnergyMeter).name === name && !places.some((each) => each.path.startsWith(`${place.path}/`))) return [{ ...(meters[0] as Leaf), level }];
    return [{ subject: place.path, name: level ? name : t("energy.site", { site: name }), level, meter: null, media: place.media }, ...meters];
  });
}

export function EnergyTree({ plant, subject, medium, hrefOf }: { plant: EnergyPlant; subject: string; medium: string; hrefOf(subject: string, medium: string): string }) {
  const leaves = leavesOf(plant, medium, subject);
  return (
    <nav class="places card" aria-label={t("energy.tree")} onKeyDown={walk}>
      <ul>
        {leaves.map((leaf) => (
          <li key={leaf.subject} style={{ paddingLeft: `${leaf.level * 8}px` }}>
            <a class={leaf.meter ? "meter" : "place"} href={hrefOf(leaf.subject, leaf.media.includes(medium) ? medium : (leaf.media[0] ?? medium))} aria-current={leaf.subject === subject ? "true" : undefined} title={leaf.meter ? [leaf.meter.name, leaf.meter.serial, leaf.meter.accuracy].filter(Boolean).join(" · ") : leaf.subject}>
              {leaf.meter && <span aria-hidden="true">▫ </span>}
              {leaf.name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function walk(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const links = [...(event.currentTarget as HTMLElement).querySelectorAll("a")];
  const at = links.indexOf(document.activeElement as HTMLAnchorElement);
  if (at < 0) return;
  event.preventDefault();
  links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
}
