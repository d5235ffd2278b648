// A value components can follow: the page's whole state management.
import { useEffect, useState } from "preact/hooks";

export interface Observable<T> {
  get(): T;
  set(value: T): void;
  follow(heard: () => void): () => void;
}

export function observable<T>(first: T): Observable<T> {
  let value = first;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const heard of [...listeners]) heard();
    },
    follow(heard) {
      listeners.add(heard);
      return () => listeners.delete(heard);
    },
  };
}

/** The value, and a new rendering whenever it is set. */
export function useValue<T>(source: Observable<T>): T {
  const [, render] = useState({});
  const drawn = source.get();
  useEffect(() => {
    const again = () => render({});
    // What was set after it was drawn and before anybody followed.
    if (source.get() !== drawn) again();
    return source.follow(again);
  }, [source]);
  return drawn;
}

/** A part of the value, and a new rendering only when that part is another. */
export function usePart<T, P>(source: Observable<T>, pick: (value: T) => P): P {
  const [part, render] = useState(() => pick(source.get()));
  useEffect(() => {
    const look = () => render(pick(source.get()));
    look();
    return source.follow(look);
  }, [source]);
  return part;
}
