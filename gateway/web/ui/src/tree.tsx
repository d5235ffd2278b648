// site / area / line / device, each with its state and age; what is below speaks through what is above.
import { useState } from "preact/hooks";
import type { Device } from "./api";
import { age, figure } from "./format";
import { Status, type Tone } from "./parts";
import { liveOf } from "./route";
import { t } from "./words";

interface Node {
  name: string;
  path: string;
  device: Device | null;
  children: Node[];
  leaves: Device[];
}

const TONES: Record<Device["state"], Tone> = { good: "calm", uncertain: "look", partly: "look", bad: "bad", waiting: "off", link: "bad" };
const ORDER: Tone[] = ["calm", "off", "look", "bad"];

function build(devices: Device[]): Node[] {
  const root: Node = { name: "", path: "", device: null, children: [], leaves: [] };
  const known = new Map<string, Node>();
  for (const device of [...devices].sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }))) {
    let node = root;
    const levels = device.path.split("/");
    levels.forEach((name, i) => {
      // "-" is a level the plant file leaves out.
      if (name === "-" && i < levels.length - 1) return;
      const path = levels.slice(0, i + 1).join("/");
      let child = known.get(path);
      if (!child) {
        child = { name, path, device: null, children: [], leaves: [] };
        known.set(path, child);
        node.children.push(child);
      }
      node = child;
      node.leaves.push(device);
    });
    node.device = device;
  }
  return root.children.map(shortened);
}

/** A level that holds one thing says it in one line with it. */
function shortened(node: Node): Node {
  const children = node.children.map(shortened);
  const only = children[0];
  if (children.length !== 1 || !only || node.device) return { ...node, children };
  return { ...only, name: `${node.name} / ${only.name}` };
}

export function PlantTree({ devices }: { devices: Device[] }) {
  const roots = build(devices);
  const [site] = roots;
  // The site is on top of the page; what it says of all devices is beside the tree's title.
  const shownRoots = site && roots.length === 1 && !site.device ? site.children : roots;
  return (
    <ul class="tree" role="tree" aria-label={t("tree.title")} onKeyDown={walk}>
      {shownRoots.map((node, i) => (
        <Branch key={node.path} node={node} level={1} first={i === 0} many={devices.length > 60} />
      ))}
    </ul>
  );
}

function Branch({ node, level, first, many }: { node: Node; level: number; first: boolean; many: boolean }) {
  const isBranch = node.children.length > 0;
  const worst = Math.max(...node.leaves.map((leaf) => ORDER.indexOf(TONES[leaf.state])));
  // A large plant opens where something is wrong, the rest on demand.
  const [open, setOpen] = useState<boolean | null>(null);
  const isOpen = open ?? (level < 2 || !many || worst >= 2);
  const toggle = () => setOpen(!isOpen);
  return (
    <li role="treeitem" aria-expanded={isBranch ? isOpen : undefined} aria-level={level} tabIndex={first && level === 1 ? 0 : -1} data-open={isBranch ? isOpen : undefined}>
      <div class={`line level-${level}`} onClick={isBranch ? toggle : undefined}>
        <span class="twist" aria-hidden="true">{isBranch ? (isOpen ? "▾" : "▸") : ""}</span>
        {node.device ? <a href={liveOf(node.path)} tabIndex={-1}>{node.name}</a> : <span class="name">{node.name}</span>}
        <Leaf node={node} tone={ORDER[worst] ?? "off"} />
      </div>
      {isBranch && isOpen && (
        <ul role="group">
          {node.children.map((child) => <Branch key={child.path} node={child} level={level + 1} first={false} many={many} />)}
        </ul>
      )}
    </li>
  );
}

function Leaf({ node, tone }: { node: Node; tone: Tone }) {
  if (node.device) {
    const { state, bad, tags, arrived } = node.device;
    return (
      <>
        <Status tone={TONES[state]}>{t(`device.${state}`, { bad, tags })}</Status>
        <span class="num tags">{t("tree.tags", { n: figure(tags) })}</span>
        <span class="num age">{age(arrived)}</span>
      </>
    );
  }
  const well = node.leaves.filter((leaf) => leaf.state === "good").length;
  const newest = Math.max(...node.leaves.map((leaf) => leaf.arrived ?? 0));
  return (
    <>
      <Status tone={tone}>{t("tree.well", { well, all: node.leaves.length })}</Status>
      <span class="num tags">{t("tree.tags", { n: figure(node.leaves.reduce((sum, leaf) => sum + leaf.tags, 0)) })}</span>
      <span class="num age">{age(newest || null)}</span>
    </>
  );
}

/** Arrow keys walk the tree, as the ARIA practices describe it. */
function walk(event: KeyboardEvent): void {
  const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role="treeitem"]')];
  const here = items.indexOf(document.activeElement as HTMLElement);
  const item = items[here];
  if (!item) return;
  const line = item.querySelector<HTMLElement>(".line");
  const isOpen = item.dataset.open;
  let to = here;
  if (event.key === "ArrowDown") to = here + 1;
  else if (event.key === "ArrowUp") to = here - 1;
  else if (event.key === "Home") to = 0;
  else if (event.key === "End") to = items.length - 1;
  else if (event.key === "ArrowRight" && isOpen === "false") line?.click();
  else if (event.key === "ArrowRight" && isOpen === "true") to = here + 1;
  else if (event.key === "ArrowLeft" && isOpen === "true") line?.click();
  else if (event.key === "ArrowLeft") to = items.indexOf(item.parentElement?.closest<HTMLElement>('[role="treeitem"]') ?? item);
  else if (event.key === "Enter" || event.key === " ") (line?.querySelector("a") ?? line)?.click();
  else return;
  event.preventDefault();
  const target = items[Math.min(items.length - 1, Math.max(0, to))];
  for (const each of items) each.tabIndex = each === target ? 0 : -1;
  target?.focus();
}
