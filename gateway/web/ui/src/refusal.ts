// Why the interface did not do what it was asked, in the reader's language.
import type { ConfigProblem, ConfigRefused } from "./api";
import { language, t } from "./words";

/** A sentence for people; `code` is empty where the answer came from something in between. `problems` are a plant file's. */
export async function refusal(answer: Response): Promise<{ why: string; code: string; problems: ConfigProblem[] }> {
  const said = (await answer.json().catch(() => ({}))) as Partial<ConfigRefused>;
  const why = said[language.get()] ?? said.detail ?? `HTTP ${answer.status}`;
  return { why: why.charAt(0).toUpperCase() + why.slice(1), code: said.code ?? "", problems: said.problems ?? [] };
}

/** What the interface answers; where nobody does, the browser's own words are no sentence for people. */
export async function answered(path: string, asking: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(`api/${path}`, asking);
  } catch (reason) {
    throw (reason as Error).name === "AbortError" ? reason : new Error(t("page.unreached"));
  }
}
