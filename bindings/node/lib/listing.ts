// What lists give: read page by page, as far as it is asked for.

import { translated } from './errors';

/** One way through a list. */
export interface Walk<T> {
  /** Whether all was given. */
  done: boolean;
  /** The next page. */
  now(): T[];
  /** The same, on another thread where that helps. */
  later(): Promise<T[]>;
  /** No more is asked for. */
  end(): void;
}

/** Where pages come from that are each read anew. `R` is what a page holds, `T` what is shown of it. */
export interface Pages<R, T> {
  now(after: R | undefined, limit: number): R[];
  /** The same on another thread. */
  later(after: R | undefined, limit: number): Promise<R[]>;
  show(raw: R): T;
  /** At most so many; all if not given. */
  limit: number | undefined;
}

const PAGE = 256;

/**
 * A list that is read as it is iterated, a page at a time, so that its length does not matter. It can be iterated any
 * number of times, each of which reads anew.
 *
 * `for (const x of list)` reads on the JavaScript thread; `for await (const x of list)` reads on another one, so that a
 * long list does not hold up the event loop. A walk through state sees it as it was when the walk began; only lists of
 * cases and of their history see what changes between two pages.
 */
export class Listing<T> implements Iterable<T>, AsyncIterable<T> {
  readonly #begin: () => Walk<T>;

  /** @internal */
  constructor(begin: () => Walk<T>) {
    this.#begin = begin;
  }

  *[Symbol.iterator](): Generator<T, void, undefined> {
    const walk = this.#begin();
    try {
      while (!walk.done) yield* walk.now();
    } finally {
      walk.end();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const walk = this.#begin();
    try {
      while (!walk.done) {
        const page = await walk.later().catch((error: unknown) => Promise.reject(translated(error)));
        yield* page;
      }
    } finally {
      walk.end();
    }
  }

  /** All of it, read on the JavaScript thread. */
  toArray(): T[] {
    return [...this];
  }
}

/** A list in pages. */
export function listing<R, T>(pages: Pages<R, T>): Listing<T> {
  const { limit, now, later, show } = pages;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
    throw new TypeError('`limit` must be a whole number, not negative');
  }
  return new Listing<T>(() => {
    let left = limit ?? Infinity;
    let last: R | undefined;
    const size = () => Math.min(left, PAGE);
    const take = (page: R[]): T[] => {
      walk.done = page.length < size() || page.length >= left;
      left -= page.length;
      last = page.at(-1);
      return page.map(show);
    };
    const walk: Walk<T> = {
      done: left === 0,
      now: () => take(now(last, size())),
      later: async () => take(await later(last, size())),
      end: () => undefined,
    };
    return walk;
  });
}
