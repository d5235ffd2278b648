// Why the interface did not do what it was asked, in the reader's language.
import type { Mistake } from "./api";
import { language, t } from "./words";

/** A sentence for people; `code` is empty where the answer came from something in between. */
export async function refusal(answer: Response): Promise<{ why: string; code: string }> {
  const said = (await answer.json().catch(() => ({}))) as Partial<Mistake>;
  const why = said[language.get()] ?? said.detail ?? `HTTP ${answer.status}`;
  return { why: why.charAt(0).toUpperCase() + why.slice(1), code: said.code ?? "" };
}

/** What the interface answers; where nobody does, the browser's own words are no sentence for people. */
export async function answered(path: string, asking: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(`api/${path}`, asking);
  } catch (reason) {
    throw (reason as Error).name === "AbortError" ? reason : new Error(t("page.unreached"));
  }
}
