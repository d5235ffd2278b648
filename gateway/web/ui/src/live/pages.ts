// The list of tags in pages: those one looks at are fetched, at most so often, and what is no longer looked at is not waited for.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TagPage, TagRow } from "../api";
import { ask, connection, state } from "../feed";
import { usePart } from "../observable";

const PAGE = 100;
const PAGES_KEPT = 40;
/** ms between two looks: whoever drags the bar through a thousand pages asks for few of them. */
const REST = 80;
const AGAIN = 5000;

type Query = Record<string, string | number | string[]>;

/** One question's answers, page by page. */
class Question {
  total: number | null = null;
  private readonly pages = new Map<number, TagRow[]>();
  private readonly fresh = new Set<number>();
  private readonly flying = new Map<number, AbortController>();
  private first = 0;
  private last = 0;
  private timer = 0;

  constructor(private readonly query: Query, private readonly heard: (error: string) => void) {}

  row(index: number): TagRow | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Whether a tag is on a page that is here; a list is one page. */
  has(path: string): boolean {
    return [...this.pages.values()].some((rows) => rows.some((row) => row.path === path));
  }

  /** Fetch what lacks of these rows: at once, or when the rest since the last look is over. */
  look(first: number, last: number): void {
    this.first = Math.floor(first / PAGE);
    this.last = Math.floor(Math.max(first, last) / PAGE);
    if (this.timer) return;
    this.fetch();
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.fetch();
    }, REST);
  }

  /** Ask everything that is looked at anew; until the answer it stays as it is. */
  again(): void {
    this.end();
    this.fresh.clear();
    this.fetch();
  }

  end(): void {
    for (const each of this.flying.values()) each.abort();
    this.flying.clear();
    window.clearTimeout(this.timer);
    this.timer = 0;
  }

  fetch(): void {
    for (const [page, stop] of this.flying) {
      if (page >= this.first && page <= this.last) continue;
      stop.abort();
      this.flying.delete(page);
    }
    for (let page = this.first; page <= this.last; page += 1) {
      const rows = this.pages.get(page);
      if (rows) this.keep(page, rows);
      if (!this.fresh.has(page) && !this.flying.has(page)) this.get(page);
    }
  }

  private get(page: number): void {
    const stop = new AbortController();
    this.flying.set(page, stop);
    ask<TagPage>("tags", { ...this.query, offset: page * PAGE, limit: PAGE }, stop.signal).then(
      (answer) => {
        if (stop.signal.aborted) return;
        this.flying.delete(page);
        this.fresh.add(page);
        this.keep(page, answer.rows);
        this.total = answer.total;
        this.heard("");
      },
      (reason: Error) => {
        if (stop.signal.aborted) return;
        this.flying.delete(page);
        this.heard(reason.message);
      },
    );
  }

  /** What was looked at longest ago is forgotten. */
  private keep(page: number, rows: TagRow[]): void {
    this.pages.delete(page);
    this.pages.set(page, rows);
    if (this.pages.size <= PAGES_KEPT) return;
    const oldest = this.pages.keys().next().value as number;
    this.pages.delete(oldest);
    this.fresh.delete(oldest);
  }
}

export interface Found {
  total: number | null;
  /** Of a list: what the plant file no longer has. */
  lacks: string[];
  error: string;
  row(index: number): TagRow | undefined;
  look(first: number, last: number): void;
  again(): void;
}

/** The tags that answer a question; those of the one before stay until the first answer is there. */
export function useTags(words: string, which: string, listed?: string[]): Found {
  const [error, fail] = useState("");
  const [, drawn] = useState({});
  const known = usePart(state, (said) => (said ? said.strip.good + said.strip.uncertain + said.strip.bad + said.strip.waiting : 0));
  const shown = useRef<Question | null>(null);
  const question = useMemo(() => {
    const made: Question = new Question({ q: words, which, path: listed ?? [] }, (reason) => {
      if (!reason) shown.current = made;
      fail(reason);
      drawn({});
    });
    return made;
  }, [words, which, known, listed?.join("\n")]);
  const isEmpty = listed?.length === 0;
  useEffect(() => {
    if (isEmpty) return;
    question.fetch();
    // Tags by quality come and go.
    const timer = which === "all" ? 0 : window.setInterval(() => document.hidden || question.again(), AGAIN);
    // What was asked while nobody answered is asked again by itself.
    let before = connection.get();
    const stop = connection.follow(() => {
      if (before === "lost" && connection.get() === "open") question.again();
      before = connection.get();
    });
    return () => {
      stop();
      window.clearInterval(timer);
      question.end();
    };
  }, [question]);
  const look = useCallback((first: number, last: number) => question.look(first, last), [question]);
  const { current } = shown;
  const lacks = current === question && listed ? listed.filter((path) => !current.has(path)) : [];
  return { total: current?.total ?? null, lacks, error, row: (index) => current?.row(index), look, again: () => question.again() };
}
