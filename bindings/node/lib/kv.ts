// Keys and values.

import type { Caller, Done, Late, ListOptions, Mode } from './caller';
import type { Listing } from './listing';
import {
  as,
  expectedVersion,
  given,
  keyBytes,
  keyText,
  known,
  micros,
  nothing,
  orNone,
  PAGED,
  pasts,
  stored,
  wholeMilliseconds,
  type Key,
  type Past,
  type Stored,
  type Version,
} from './state';
import { decode, encode, type Storable, type Value } from './values';

/** How to set a key. At most one of `ttlMs` and `expires`. */
export interface PutOptions {
  /** How long it is there, in milliseconds; a fraction counts as a whole one. */
  ttlMs?: number;
  /** From when on it is no longer there. */
  expires?: Date;
}

/** Which keys to list. */
export interface KvScanOptions extends ListOptions {
  /** Only keys that begin with this. */
  prefix?: Key;
  /** Only keys that come after this one (`reverse`: before it). */
  after?: Key;
  /** From the last one to the first. */
  reverse?: boolean;
  /** What to give keys as: text by default, which fails on a key that is not UTF-8. */
  keys?: 'text' | 'bytes';
}

/**
 * What becomes of a value that is there and one that comes: the `last` one; the `first` one; the sum (`accumulate`); the
 * new one behind the old (`concatenate`: text, bytes, items); objects merged at every level (`deep`).
 */
export type MergeStrategy = 'last' | 'first' | 'accumulate' | 'concatenate' | 'deep';

/** A number that can be added. */
export type Amount = Storable;

/**
 * The keys of a space. On an engine each write is a transaction of its own, durable when its promise is fulfilled; in a
 * transaction writes are done at once, and nobody else sees them before it commits. A key that has expired is not there.
 */
export class Kv<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
  }

  /** The value of a key; undefined if there is none. */
  get<T = Value>(key: Key): T | undefined {
    const found = this.#caller.kvGet(keyBytes('key', key));
    return found === undefined ? undefined : (decode(found) as T);
  }

  /** The values of several keys, in their order. */
  getMany<T = Value>(keys: readonly Key[]): (T | undefined)[] {
    const bytes = keys.map((key) => keyBytes('keys', key));
    const found = this.#caller.read({ op: 'kv.get_many', keys: bytes }) as Value[];
    return found.map((one) => stored<T>(one)?.value);
  }

  /** The value of a key with its version and when it expires. */
  entry<T = Value>(key: Key): Stored<T> | undefined {
    return stored(this.#caller.read({ op: 'kv.get', key: keyBytes('key', key) }));
  }

  /** Whether a key is there. */
  has(key: Key): boolean {
    return as(this.#caller.read({ op: 'kv.exists', key: keyBytes('key', key) }));
  }

  /** Sets a key. */
  put(key: Key, value: Storable, options: PutOptions = {}): Done<M, void> {
    return this.#do(() => {
      const { ttlMs, expires } = known(options, 'ttlMs', 'expires');
      const bytes = keyBytes('key', key);
      if (ttlMs === undefined && expires === undefined) return this.#caller.kvPut(bytes, encode(value));
      if (ttlMs !== undefined && expires !== undefined) throw new TypeError('give only one of `ttlMs` and `expires`');
      const times = { ttl_ms: wholeMilliseconds('ttlMs', ttlMs), expires: micros('expires', expires) };
      return this.#caller.write({ op: 'kv.put', key: bytes, value: given(value), ...times }, nothing);
    });
  }

  /** Sets a key if it is not there; tells whether it was set. */
  putIfAbsent(key: Key, value: Storable): Done<M, boolean> {
    return this.#do(() => {
      const put = { op: 'kv.put', key: keyBytes('key', key), value: given(value), if_absent: true };
      return this.#caller.write(put, as<boolean>);
    });
  }

  /**
   * Sets a key if it is still at this version (0: not there); `SW_VERSION_MISMATCH` if not. A version must be given: of a
   * key that may be absent, `entry(key)?.version ?? 0`.
   */
  putIfVersion(key: Key, version: Version, value: Storable): Done<M, void> {
    return this.#do(() => {
      const if_version = expectedVersion('version', version);
      const put = { op: 'kv.put', key: keyBytes('key', key), value: given(value), if_version };
      return this.#caller.write(put, nothing);
    });
  }

  /** Removes a key; false if it was not there. */
  delete(key: Key): Done<M, boolean> {
    return this.#do(() => this.#caller.kvDelete(keyBytes('key', key)));
  }

  /** Sets a key if it still has this value (undefined: is not there); `SW_VALUE_MISMATCH` if not. */
  cas(key: Key, expected: Storable | undefined, value: Storable): Done<M, void> {
    return this.#do(() => {
      const cas = { op: 'kv.cas', key: keyBytes('key', key), expected, value: given(value) };
      return this.#caller.write(cas, nothing);
    });
  }

  /** Sets a key; gives what was there; undefined if nothing was, or null. */
  swap<T = Value>(key: Key, value: Storable): Done<M, T | undefined> {
    return this.#do(() => {
      const swap = { op: 'kv.swap', key: keyBytes('key', key), value: given(value) };
      return this.#caller.write(swap, (found) => orNone<T>(found));
    });
  }

  /**
   * Adds to a key's number, or to `initial` if the key is not there. On an engine it gives the sum, and never
   * conflicts; in a transaction, increments do not conflict with each other as long as nobody reads the key.
   * `SW_WRONG_TYPE` if something else than a number is there, `SW_ARITHMETIC` if the sum overflows.
   */
  increment(key: Key, by: Amount = 1, initial: Amount = 0): Late<M, number | bigint> {
    return this.#do(() => {
      const add = { op: 'kv.increment', key: keyBytes('key', key), by, initial };
      return this.#caller.write(add, (sum) => orNone<number | bigint>(sum));
    }) as Late<M, number | bigint>;
  }

  /** Puts text behind a key's text, or bytes behind its bytes, with `separator` between them. Never conflicts. */
  append(key: Key, tail: string | Uint8Array, separator?: string | Uint8Array): Done<M, void> {
    return this.#do(() => {
      const append = { op: 'kv.append', key: keyBytes('key', key), value: tail, separator };
      return this.#caller.write(append, nothing);
    });
  }

  /** Puts items at the end of a key's array, or makes one of them. Never conflicts. */
  extend(key: Key, items: readonly Storable[]): Done<M, void> {
    return this.#do(() => {
      return this.#caller.write({ op: 'kv.extend', key: keyBytes('key', key), items }, nothing);
    });
  }

  /** Makes one of the value that is there and this one. */
  merge(key: Key, value: Storable, strategy: MergeStrategy): Done<M, void> {
    return this.#do(() => {
      const merge = { op: 'kv.merge', key: keyBytes('key', key), value: given(value), strategy };
      return this.#caller.write(merge, nothing);
    });
  }

  /** Keys in the order of their bytes, with their values: `for await (const [key, value] of kv.scan({ prefix }))`. */
  scan<T = Value>(options?: KvScanOptions & { keys?: 'text' }): Listing<[string, T]>;
  scan<T = Value>(options: KvScanOptions & { keys: 'bytes' }): Listing<[Uint8Array, T]>;
  scan<T = Value>(options: KvScanOptions = {}): Listing<[Key, T]> {
    const { prefix, after, reverse, keys } = known(options, ...PAGED, 'reverse', 'keys');
    const from = after === undefined ? undefined : keyBytes('after', after);
    const which = { prefix: keyBytes('prefix', prefix ?? ''), [reverse ? 'before' : 'after']: from };
    const scan = { op: 'kv.scan', ...which, reverse };
    const show = keys === 'bytes' ? (key: Key) => keyBytes('key', key) : keyText;
    return this.#caller.list<{ key: Key; value: T }, [Key, T]>(
      scan,
      ({ key, value }) => [show(key), value],
      options,
    );
  }

  /** How many keys begin with this. Reads them all. */
  count(prefix: Key = ''): number {
    return as(this.#caller.read({ op: 'kv.count', prefix: keyBytes('prefix', prefix) }));
  }

  /** Removes up to `limit` keys that have expired. Nobody can see that. */
  purge(limit = 1000): Done<M, void> {
    return this.#do(() => this.#caller.write({ op: 'kv.purge', limit }, nothing));
  }

  /** The values that a key had, the newest first. Reads the log; not in a transaction, and not in memory. */
  history<T = Value>(key: Key, limit = 100): Past<T>[] {
    return pasts(this.#caller.read({ op: 'kv.history', key: keyBytes('key', key), limit }));
  }

  /** A key as it was when the store had this version. Reads the log; not in a transaction, and not in memory. */
  getAt<T = Value>(key: Key, version: Version): Stored<T> | undefined {
    return stored(this.#caller.read({ op: 'kv.get_at', key: keyBytes('key', key), version }));
  }

  /** What is wrong with arguments rejects a promise as everything else does. */
  #do<T>(write: () => Done<M, T>): Done<M, T> {
    return this.#caller.run(write);
  }
}

