// What lists give: read page by page, as far as it is asked for.

/** Where pages come from. `R` is what a page holds, `T` what is shown of it. */
export interface Pages<R, T> {
  now(after: R | undefined, limit: number): R[];
  /** The same on another thread; if there is none, the reading is quick anyway. */
  later?(after: R | undefined, limit: number): Promise<R[]>;
  show(raw: R): T;
  /** At most so many; all if not given. */
  limit: number | undefined;
}

const PAGE = 256;

/**
 * A list that is read as it is iterated, some hundred entries at a time. It can be iterated any number of
 * times, each of which reads anew.
 *
 * `for (const x of list)` reads on the JavaScript thread; `for await (const x of list)` reads on another one,
 * so that a long list does not hold up the event loop. Outside a transaction, pages are read one after the
 * other: what is written in between is seen.
 */
export class Listing<T> implements Iterable<T>, AsyncIterable<T> {
  readonly #pages: Pages<unknown, T>;

  /** @internal */
  constructor(pages: Pages<unknown, T>) {
    this.#pages = pages;
  }

  *[Symbol.iterator](): Generator<T, void, undefined> {
    const { now, show } = this.#pages;
    for (const next = this.#cursor(); next.limit > 0;) {
      const page = now(next.after, next.limit);
      yield* page.map(show);
      next.advance(page);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const { now, later, show } = this.#pages;
    for (const next = this.#cursor(); next.limit > 0;) {
      const page = await (later ?? now)(next.after, next.limit);
      yield* page.map(show);
      next.advance(page);
    }
  }

  /** All of it. */
  toArray(): T[] {
    return [...this];
  }

  #cursor() {
    let left = this.#pages.limit ?? Infinity;
    return {
      after: undefined as unknown,
      /** How many to ask for next; 0 at the end. */
      limit: Math.min(left, PAGE),
      advance(page: unknown[]) {
        left = page.length < this.limit ? 0 : left - page.length;
        this.after = page.at(-1);
        this.limit = Math.min(left, PAGE);
      },
    };
  }
}

/** A list in pages. */
export function listing<R, T>(pages: Pages<R, T>): Listing<T> {
  const { limit } = pages;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
    throw new TypeError('`limit` must be a whole number, not negative');
  }
  return new Listing<T>(pages as Pages<unknown, T>);
}
