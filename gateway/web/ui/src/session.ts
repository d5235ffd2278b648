// Who the page speaks to, and the one way to change something: with the proof that this page may.
import type { SessionTold } from "./api";
import { observable } from "./observable";
import { language } from "./words";

export const session = observable<SessionTold | null>(null);

/** Why something was not done, in the reader's language. */
export class Refused extends Error {
  constructor(message: string, readonly code: string, readonly waits: number) {
    super(message);
  }
}

export async function learn(): Promise<void> {
  const before = session.get();
  const answer = await fetch("api/session");
  const said = (await answer.json().catch(() => ({}))) as SessionTold & { detail?: string };
  if (!answer.ok) throw new Error(said.detail ?? `HTTP ${answer.status}`);
  // Who has signed in meanwhile is known better than by an answer to an older question.
  if (session.get() === before) session.set(said);
}

export async function change<T>(method: "POST" | "DELETE", path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = { "X-Proof": session.get()?.proof ?? "" };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(`api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (answer.ok) return (await answer.json()) as T;
  const said = (await answer.json().catch(() => ({}))) as { detail?: string; code?: string; zh?: string; en?: string };
  if ([401, 403].includes(answer.status) && !said.code) learn().catch(() => undefined);
  const why = said[language.get()] ?? said.detail ?? `HTTP ${answer.status}`;
  throw new Refused(why.charAt(0).toUpperCase() + why.slice(1), said.code ?? "", Number(answer.headers.get("Retry-After") ?? 0));
}

export const may = (right: SessionTold["rights"][number]): boolean => session.get()?.rights.includes(right) ?? false;

const A_MINUTE = 60_000;
let used = Date.now();
/** Who works with what is shown asks for nothing perhaps, and is there all the same. */
function isThere(): void {
  if (session.get()?.state !== "signed_in" || Date.now() - used < A_MINUTE) return;
  used = Date.now();
  learn().catch(() => undefined);
}
addEventListener("pointerdown", isThere);
addEventListener("keydown", isThere);
