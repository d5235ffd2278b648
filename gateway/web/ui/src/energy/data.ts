// Asked again while the period runs; an answer to an older question is never shown.
import { useLayoutEffect, useState } from "preact/hooks";
import { ask } from "../feed";

export interface Asked<T> {
  answer: T | null;
  error: string;
  again(): void;
}

/** An answer of the interface; null asks nothing. `every` ms: asked again, while the page is seen. `early` came with the page and is not asked for. */
export function useAnswer<T>(path: string, query: Record<string, string | number> | null, every = 0, early?: T): Asked<T> {
  const key = query && `${path}?${new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))}`;
  const [found, show] = useState<{ key: string; answer: T } | null>(key && early ? { key, answer: early } : null);
  const [error, fail] = useState("");
  const [times, repeat] = useState(0);
  // Before the first paint, so that the question is on its way while the page is drawn.
  useLayoutEffect(() => {
    fail("");
    if (!key || !query) return;
    const stop = new AbortController();
    let timer = 0;
    let looks = early ? 1 : 0;
    const look = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const answer = await ask<T>(path, query, stop.signal, looks++ > 0);
          if (stop.signal.aborted) return;
          show({ key, answer });
          fail("");
        } catch (reason) {
          if (stop.signal.aborted) return;
          fail((reason as Error).message);
        }
      }
      if (every) timer = window.setTimeout(look, every);
    };
    if (!early) void look();
    else if (every) timer = window.setTimeout(look, every);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [key, times, every]);
  return { answer: found && found.key === key ? found.answer : null, error, again: () => repeat((before) => before + 1) };
}
