// A text somebody has written and not saved: kept while the page is open, whatever view is looked at meanwhile.
import { session } from "../session";

interface Unsaved {
  text: string;
  /** Digest of the file it began from. */
  base: string;
}

let held: Unsaved | null = null;
let writer = "";

export const unsaved = (): Unsaved | null => held;

export function hold(text: Unsaved | null): void {
  held = text;
  writer = session.get()?.name ?? "";
  if (text) addEventListener("beforeunload", warn);
  else removeEventListener("beforeunload", warn);
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
  event.returnValue = true; // browsers before Chrome 119 heed nothing else
}

// It belongs to who wrote it.
session.follow(() => {
  if (held && session.get()?.name !== writer) hold(null);
});
