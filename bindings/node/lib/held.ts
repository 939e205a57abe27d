// What the library holds for JavaScript: documents, queries, schemas.

import { attempt, StatewrightError } from './errors';

interface Owned {
  handle: bigint;
  free: (handle: never) => void;
}

function end({ handle, free }: Owned): void {
  attempt(() => free(handle as never));
}

/** What nobody can reach any more and was not closed. */
const forgotten = new FinalizationRegistry<Owned>(end);

/**
 * Something that the library holds. Close it when it is no longer needed, with `close()` or `using`: the garbage
 * collector does it too, but does not see how large it is. Using a closed one throws `SW_CLOSED`.
 */
export abstract class Held<H extends bigint> {
  #owned: Owned | undefined;

  /** @internal */
  constructor(handle: H, free: (handle: H) => void) {
    this.#owned = { handle, free };
    forgotten.register(this, this.#owned, this);
  }

  /** @internal */
  get handle(): H {
    if (this.#owned !== undefined) return this.#owned.handle as H;
    throw new StatewrightError(`the ${this.constructor.name} is closed`, { code: 'SW_CLOSED' });
  }

  /** Frees what the library holds. Closing it again does nothing. */
  close(): void {
    const owned = this.#owned;
    if (owned === undefined) return;
    this.#owned = undefined;
    forgotten.unregister(this);
    end(owned);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A choice by its name; another name is a TypeError. */
export function choice<T>(name: string, given: string, known: Readonly<Record<string, T>>): T {
  const chosen = Object.hasOwn(known, given) ? known[given] : undefined;
  if (chosen !== undefined) return chosen;
  const names = Object.keys(known).map((known) => `'${known}'`);
  throw new TypeError(`\`${name}\` must be ${names.join(', ')}`);
}

/** A limit as C takes it, where 0 is the default. */
export function limit(name: string, given: number | undefined): bigint {
  if (given === undefined) return 0n;
  if (Number.isSafeInteger(given) && given >= 0) return BigInt(given);
  throw new TypeError(`\`${name}\` must be a whole number, not negative`);
}
