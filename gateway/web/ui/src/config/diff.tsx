// A unified diff, each line with its sign and, beside the sign, a colour.
import { t } from "../words";

export function Diff({ text }: { text: string }) {
  if (!text) return null;
  return (
    <pre class="diff" tabIndex={0} aria-label={t("config.diff")}>
      {text.split("\n").slice(2).map((line, i) => <span key={i} class={line.startsWith("+") ? "added" : line.startsWith("-") ? "gone" : line.startsWith("@") ? "at" : ""}>{line}{"\n"}</span>)}
    </pre>
  );
}
