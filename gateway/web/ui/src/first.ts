// What came with the page: what its first view would ask. Missing where the gateway was slow, where nobody is known, and in a server of files.
import type { Device, SessionTold, Today } from "./api";
import type { State } from "./feed";

export interface First {
  session?: SessionTold;
  heard?: { devices: Device[]; state: State };
  today?: Today;
}

const element = document.getElementById("first");
export const first: First = JSON.parse(element?.textContent || "{}");
element?.remove();
// A tab may be looked at hours after it was opened; it asks then.
if (document.hidden) {
  delete first.heard;
  delete first.today;
}

/** What was there when the page was opened is old for whoever comes to a view later. */
export function begun(): void {
  for (const name of Object.keys(first) as (keyof First)[]) delete first[name];
}
