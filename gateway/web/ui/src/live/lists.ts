// Watch lists: tags a reader has picked. They are kept in this browser; an address carries one to another.
import { observable } from "../observable";
import { t } from "../words";

export interface List {
  name: string;
  tags: string[];
}

export const MOST_TAGS = 100;
export const MOST_LISTS = 30;
/** Characters of a list's paths, so that asking for them all is one request. */
const LONGEST = 8000;
const KEPT_AS = "watch.lists";
const STARRED_AS = "watch.starred";

function read(): List[] {
  try {
    const said = JSON.parse(localStorage.getItem(KEPT_AS) ?? "[]") as List[];
    return said.filter(({ name, tags }) => typeof name === "string" && Array.isArray(tags) && tags.every((tag) => typeof tag === "string"));
  } catch {
    return []; // not ours, or cut off
  }
}

export const lists = observable<List[]>(read());
window.addEventListener("storage", (event) => event.key === KEPT_AS && lists.set(read()));

function keep(next: List[]): void {
  localStorage.setItem(KEPT_AS, JSON.stringify(next));
  lists.set(next);
}

export const listOf = (name: string): List | undefined => lists.get().find((each) => each.name === name);

/** Whether a list stands here as it is shown. */
export const isKept = ({ name, tags }: List): boolean => listOf(name)?.tags.join("\n") === tags.join("\n");

/** Where a star puts a tag: into the list that was looked at last. */
export function starred(): string {
  const last = localStorage.getItem(STARRED_AS) ?? "";
  return listOf(last)?.name ?? lists.get()[0]?.name ?? t("watch.first");
}

export function starInto(name: string): void {
  if (starred() === name) return;
  localStorage.setItem(STARRED_AS, name);
  lists.set(lists.get());
}

export const fits = (tags: string[]): boolean => tags.length <= MOST_TAGS && encodeURIComponent(tags.join()).length <= LONGEST;

/** Put a tag in or take it out; false when the list is full. */
export function star(path: string): boolean {
  const name = starred();
  const before = listOf(name)?.tags ?? [];
  const tags = before.includes(path) ? before.filter((each) => each !== path) : [...before, path];
  if (!fits(tags)) return false;
  if (listOf(name)) keep(lists.get().map((each) => (each.name === name ? { name, tags } : each)));
  else keep([...lists.get(), { name, tags }]);
  return true;
}

/** Keep a list under a name nobody has yet; return that name. */
export function make(name: string, tags: string[]): string {
  const made = free(name);
  keep([...lists.get(), { name: made, tags }]);
  starInto(made);
  return made;
}

export function rename(from: string, to: string): string {
  if (from === to) return from;
  const made = free(to);
  keep(lists.get().map((each) => (each.name === from ? { ...each, name: made } : each)));
  starInto(made);
  return made;
}

export function remove(name: string): void {
  keep(lists.get().filter((each) => each.name !== name));
}

export function forget(name: string, gone: string[]): void {
  keep(lists.get().map((each) => (each.name === name ? { name, tags: each.tags.filter((tag) => !gone.includes(tag)) } : each)));
}

function free(name: string): string {
  const wanted = name.trim().slice(0, 40) || t("watch.first");
  let made = wanted;
  for (let n = 2; listOf(made); n += 1) made = `${wanted} ${n}`;
  return made;
}
