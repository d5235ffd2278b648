// Find a tag by a few letters, with the mouse or with Enter.
import { useEffect, useRef, useState } from "preact/hooks";
import type { TagPage, TagRow } from "./api";
import { ask } from "./feed";
import { Status } from "./parts";
import { qualityWord, toneOf } from "./quality";
import { t } from "./words";

interface Found {
  /** What was asked: an answer to older letters must not be taken for one to these. */
  words: string;
  rows: TagRow[];
}

/** `suggests` shows the tags that are bad now before anything is typed. */
export function Finder({ label, suggests, hrefOf }: { label: string; suggests: boolean; hrefOf: (path: string) => string }) {
  const [typed, type] = useState("");
  const [found, show] = useState<Found>({ words: "", rows: [] });
  // Enter before the answer is there goes when it comes.
  const goes = useRef(false);

  function go(row: TagRow | undefined): void {
    goes.current = false;
    if (!row) return;
    location.hash = hrefOf(row.path);
    type("");
  }

  useEffect(() => {
    if (!typed.trim() && !suggests) return show({ words: typed, rows: [] });
    const stop = new AbortController();
    const timer = window.setTimeout(() => {
      ask<TagPage>("tags", { q: typed, which: typed ? "all" : "bad", limit: 8 }, stop.signal).then(
        ({ rows }) => {
          show({ words: typed, rows });
          if (goes.current) go(rows[0]);
        },
        () => show({ words: typed, rows: [] }),
      );
    }, 150);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [typed, suggests]);
  return (
    <div class="finder">
      <input
        type="search"
        value={typed}
        placeholder={label}
        aria-label={label}
        onInput={(event) => {
          goes.current = false;
          type(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") type("");
          if (event.key !== "Enter" || !typed.trim()) return;
          if (found.words === typed) go(found.rows[0]);
          else goes.current = true;
        }}
      />
      {found.rows.length > 0 && (
        <ul class="found" aria-label={found.words ? t("why.found") : t("why.bad_now")}>
          {!found.words && <li class="note">{t("why.bad_now")}</li>}
          {found.rows.map((row) => (
            <li key={row.path}>
              <a href={hrefOf(row.path)} onClick={() => type("")}>{row.path}</a>
              <Status tone={toneOf(row.quality)}>{qualityWord(row)}</Status>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
