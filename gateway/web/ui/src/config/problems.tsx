// What is wrong with a text, line by line.
import type { ConfigProblem } from "../api";
import { Status } from "../parts";
import { language, t } from "../words";

export function Problems({ of, go }: { of: ConfigProblem[]; go?: (line: number, column: number) => void }) {
  if (!of.length) return null;
  return (
    <ul class="problems" aria-label={t("config.problems")}>
      {of.map((each, i) => {
        const line = t("config.line", { line: each.line });
        return (
          <li key={i}>
            <Status tone={each.severity === "error" ? "bad" : "look"}>
              {go ? <button type="button" class="as-link" onClick={() => go(each.line, each.column)}>{line}</button> : line} {each[language.get()]} <small>{each.code}</small>
            </Status>
          </li>
        );
      })}
    </ul>
  );
}
