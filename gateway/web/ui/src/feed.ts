// What the gateway says, once a second: one stream of events for the whole page, closed while nobody looks.
import type { Attention, Device, Link, Strip, TagRow } from "./api";
import { first } from "./first";
import { observable } from "./observable";
import { answered, refusal } from "./refusal";
import { route } from "./route";
import { learn, may, session } from "./session";

export interface State {
  strip: Strip;
  links: Link[];
  attention: Attention[];
}
export type Newest = Pick<TagRow, "quality" | "quality_name" | "value" | "time" | "arrived">;
type Piece = [number, TagRow["quality"], string, TagRow["value"], TagRow["time"], TagRow["arrived"]];

export const state = observable<State | null>(first.heard?.state ?? null);
export const devices = observable(new Map<string, Device>(first.heard?.devices.map((each) => [each.path, each])));
/** Newest rows of the watched tags; set again at every event, so followers look once a second. */
export const newest = observable<Map<number, Newest>>(new Map());
/** Whose newest row came with the last event. */
export const moved = observable<number[]>([]);
export const rate = observable<(number | null)[]>([]);
export type Connection = "opening" | "open" | "lost";
export const connection = observable<Connection>("opening");

const MINUTE = 60;
/** The stream says something once a second; a network that broke off says nothing, nor does the browser. */
const SILENT_MS = 15_000;
let clockAhead = first.heard ? first.heard.state.strip.now - Date.now() : 0;
/** What came with the page is not drawn a second time. */
let drawn = JSON.stringify(first.heard?.state);
let source: EventSource | null = null;
let watchedTags: number[] = [];
let watchesDevices = false;
let timer = 0;
let silence = 0;

/** The gateway's clock, ms. */
export const now = (): number => Date.now() + clockAhead;

/** Choose what to hear of; the stream is opened again when that changes. */
export function watch(tags: number[], withDevices: boolean): void {
  if (withDevices === watchesDevices && tags.join() === watchedTags.join() && source) return;
  watchedTags = tags;
  watchesDevices = withDevices;
  window.clearTimeout(timer);
  timer = window.setTimeout(open, source ? 150 : 0);
}

function heard(): void {
  window.clearTimeout(silence);
  silence = window.setTimeout(() => {
    connection.set("lost");
    open();
  }, SILENT_MS);
}

function open(): void {
  source?.close();
  source = null;
  window.clearTimeout(silence);
  if (document.hidden || !may("read")) return;
  const query = new URLSearchParams({ tags: watchedTags.slice(0, 300).join(","), devices: String(watchesDevices) });
  source = new EventSource(`api/events?${query}`);
  source.onopen = () => connection.set("open");
  heard();
  for (const kind of ["state", "devices", "values", "same"]) source.addEventListener(kind, heard);
  source.onerror = () => {
    connection.set("lost");
    // A browser gives up for good after an answer that is no stream, e.g. while the process starts again.
    if (source?.readyState === EventSource.CLOSED) {
      window.clearTimeout(timer);
      timer = window.setTimeout(open, 2000);
      learn().catch(() => undefined); // or because the session is over
    }
  };
  source.addEventListener("state", (event) => {
    const said = JSON.parse(event.data) as State;
    const cameWithPage = JSON.stringify(said) === drawn;
    drawn = "";
    if (cameWithPage) return;
    clockAhead = said.strip.now - Date.now();
    rate.set([...rate.get().slice(1 - MINUTE), said.strip.rows_per_s]);
    state.set(said);
  });
  source.addEventListener("devices", (event) => {
    const known = devices.get();
    for (const device of JSON.parse(event.data) as Device[]) known.set(device.path, device);
    devices.set(known);
  });
  source.addEventListener("values", (event) => {
    const known = newest.get();
    const pieces = JSON.parse(event.data) as Piece[];
    for (const [number, quality, quality_name, value, time, arrived] of pieces) known.set(number, { quality, quality_name, value, time, arrived });
    moved.set(pieces.map(([number]) => number));
    newest.set(known);
  });
}

document.addEventListener("visibilitychange", open);

let heardAs = "";
// A stream belongs to who opened it, and ends with that one's session.
function hear(): void {
  const who = session.get();
  const now = `${who?.state} ${who?.proof}`;
  if (!who || now === heardAs) return;
  if (heardAs) open();
  else watch([], route.get().view === "overview");
  heardAs = now;
}
session.follow(hear);
hear();

/** Ask the interface once; throws with the reason it gave. */
export async function ask<T>(path: string, query: Record<string, string | number | string[]>, signal?: AbortSignal, unattended = false): Promise<T> {
  const words = Object.entries(query).flatMap(([name, value]) => [value].flat().map((each) => [name, String(each)]));
  const answer = await answered(`${path}?${new URLSearchParams(words)}`, { signal, headers: unattended ? { "X-Unattended": "1" } : {} });
  if (answer.status === 401) learn().catch(() => undefined);
  if (!answer.ok) throw new Error((await refusal(answer)).why);
  return (await answer.json()) as T;
}
