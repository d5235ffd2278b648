// Who the page speaks to, and the one way to change something: with the proof that this page may.
import type { ConfigProblem, SessionTold } from "./api";
import { first } from "./first";
import { observable } from "./observable";
import { answered, refusal } from "./refusal";

export const session = observable<SessionTold | null>(first.session ?? null);

/** Why something was not done, in the reader's language. */
export class Refused extends Error {
  constructor(message: string, readonly code: string, readonly waits: number, readonly problems: ConfigProblem[]) {
    super(message);
  }
}

export async function learn(): Promise<void> {
  const before = session.get();
  const answer = await answered("session");
  if (!answer.ok) throw new Error((await refusal(answer)).why);
  const said = (await answer.json()) as SessionTold;
  // Who has signed in meanwhile is known better than by an answer to an older question.
  if (session.get() === before) session.set(said);
}

/** Who one is taken for, and what one may, is not what the page thought: sign in, no right, another session. */
const WHO = ["E-PG-0004", "E-PG-0005", "E-PG-0009"];

export async function change<T>(method: "POST" | "DELETE", path: string, body?: object | Blob): Promise<T> {
  const headers: Record<string, string> = { "X-Proof": session.get()?.proof ?? "" };
  const isFile = body instanceof Blob;
  if (body) headers["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  const answer = await answered(path, { method, headers, body: isFile ? body : body && JSON.stringify(body) });
  if (answer.ok) return (await answer.json()) as T;
  const { why, code, problems } = await refusal(answer);
  if (WHO.includes(code)) learn().catch(() => undefined);
  throw new Refused(why, code, Number(answer.headers.get("Retry-After") ?? 0), problems);
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
