// JSON documents.

import type { Caller, Done, Late, Mode } from './caller';
import type { Kind } from './document';
import type { Listing } from './listing';
import type { MergeStrategy, Amount } from './kv';
import {
  as,
  expectedVersion,
  given,
  known,
  nothing,
  orNone,
  PAGED,
  pasts,
  stored,
  type PageOptions,
  type Past,
  type Stored,
  type Version,
} from './state';
import { decode, encode, integer, text, type Storable, type Value } from './values';

/** Which documents to list. */
export type JsonListOptions = PageOptions;

/** One operation of a JSON Patch (RFC 6902). */
export interface PatchOperation {
  op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  path: string;
  from?: string;
  value?: Storable;
}

/**
 * The JSON documents of a space. A path is a place in one, such as `.lines[0].price`; the empty path is the whole
 * document. Two transactions conflict only where their paths overlap. On an engine each write is a transaction of its
 * own, durable when its promise is fulfilled; in a transaction writes are done at once.
 *
 * What changes a document that is not there fails with `SW_NOT_FOUND`; what does not fit what is there, with
 * `SW_WRONG_TYPE`.
 */
export class Json<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
  }

  /** The document, or what is at a place in it; undefined if either is not there. */
  get<T = Value>(key: string, path = ''): T | undefined {
    const found = this.#caller.jsonGet(text('key', key), text('path', path));
    return found === undefined ? undefined : (decode(found) as T);
  }

  /** The version of the commit that last changed the document; undefined if there is none. */
  version(key: string): Version | undefined {
    const found = this.#caller.jsonVersion(text('key', key));
    return found === undefined ? undefined : integer(found);
  }

  /** Whether there is such a document. */
  has(key: string): boolean {
    return as(this.#caller.read({ op: 'json.exists', key: text('key', key) }));
  }

  /** The kind of what is at a place; undefined if nothing is. */
  kind(key: string, path = ''): Kind | undefined {
    return orNone(this.#caller.read({ op: 'json.type', ...place(key, path) }));
  }

  /** How many items or entries, or bytes of text, are at a place; undefined if nothing is there. */
  size(key: string, path = ''): number | undefined {
    return orNone(this.#caller.read({ op: 'json.len', ...place(key, path) }));
  }

  /** The keys of the object at a place; undefined if nothing is there. */
  keys(key: string, path = ''): string[] | undefined {
    return orNone(this.#caller.read({ op: 'json.keys', ...place(key, path) }));
  }

  /** Documents in the order of their keys. */
  list<T = Value>(options: JsonListOptions = {}): Listing<[string, T]> {
    const { prefix, after } = known(options, ...PAGED);
    const list = { op: 'json.list', prefix: text('prefix', prefix ?? ''), after };
    return this.#caller.list<{ key: string; value: T }, [string, T]>(
      list,
      ({ key, value }) => [key, value],
      options,
    );
  }

  /** How many documents have keys that begin with this. Reads them all. */
  count(prefix = ''): number {
    return as(this.#caller.read({ op: 'json.count', prefix: text('prefix', prefix) }));
  }

  /** Makes a document; `SW_ALREADY_EXISTS` if there is one. */
  create(key: string, value: Storable): Done<M, void> {
    return this.#do(() => this.#caller.jsonCreate(text('key', key), encode(value)));
  }

  /**
   * Sets one place in a document, making missing objects on the way; an index equal to an array's length appends. The
   * empty path makes or replaces the whole document. With `ifVersion`, only if the document is still at that version;
   * else `SW_VERSION_MISMATCH`. An `ifVersion` that is undefined, as {@link version} gives it of a document that is not
   * there, is a `TypeError`: leave it out to set in any case, and make a document with {@link create}.
   */
  set(key: string, path: string, value: Storable, options: { ifVersion?: Version } = {}): Done<M, void> {
    return this.#do(() => {
      if (!('ifVersion' in known(options, 'ifVersion'))) return this.#caller.jsonSet(text('key', key), text('path', path), encode(value));
      const if_version = expectedVersion('ifVersion', options.ifVersion as Version);
      const set = { op: 'json.set', ...place(key, path), value: given(value), if_version };
      return this.#caller.write(set, nothing);
    });
  }

  /** Removes one place from a document, later elements of an array move up; false if there was nothing. */
  remove(key: string, path: string): Done<M, boolean> {
    return this.#do(() => this.#caller.jsonRemove(text('key', key), text('path', path)));
  }

  /** Removes a document; false if it was not there. */
  drop(key: string): Done<M, boolean> {
    return this.#do(() => this.#caller.jsonDrop(text('key', key)));
  }

  /** Applies a JSON Patch (RFC 6902) to a document: all of it, or nothing and `SW_PATCH_FAILED`. */
  patch(key: string, patch: readonly PatchOperation[]): Done<M, void> {
    return this.#write({ op: 'json.patch', key, patch });
  }

  /** Merges a value into what is at a place: as a JSON Merge Patch (RFC 7396), or by a strategy. */
  merge(
    key: string,
    value: Storable,
    options: { path?: string; strategy?: MergeStrategy } = {},
  ): Done<M, void> {
    return this.#do(() => {
      const { path, strategy } = known(options, 'path', 'strategy');
      return this.#caller.write({ op: 'json.merge', key, value: given(value), path, strategy }, nothing);
    });
  }

  /** Puts items at the end of the array at a place. Never conflicts with others that do. */
  push(key: string, path: string, ...items: Storable[]): Done<M, void> {
    return this.#write({ op: 'json.push', key, path, items });
  }

  /** Takes the last item of the array at a place away and gives it; undefined if there is none, or it is null. */
  pop<T = Value>(key: string, path: string): Done<M, T | undefined> {
    return this.#do(() => {
      return this.#caller.write({ op: 'json.pop', ...place(key, path) }, (found) => orNone<T>(found));
    });
  }

  /** Puts an item into an array, at the index with which the path ends. */
  insert(key: string, path: string, value: Storable): Done<M, void> {
    return this.#do(() => {
      return this.#caller.write({ op: 'json.insert', ...place(key, path), value: given(value) }, nothing);
    });
  }

  /** Takes what is at one place to another. */
  move(key: string, from: string, to: string): Done<M, void> {
    return this.#write({ op: 'json.move', key, from, to });
  }

  /** Takes an item of the array at a place to another index. */
  moveItem(key: string, path: string, from: number, to: number): Done<M, void> {
    return this.#write({ op: 'json.move_item', key, path, from, to });
  }

  /** Adds to the number at a place, or to `initial` if nothing is there; see {@link Kv.increment}. */
  increment(key: string, path: string, by: Amount = 1, initial: Amount = 0): Late<M, number | bigint> {
    return this.#do(() => {
      const add = { op: 'json.increment', ...place(key, path), by, initial };
      return this.#caller.write(add, (sum) => orNone<number | bigint>(sum));
    }) as Late<M, number | bigint>;
  }

  /** Puts text behind the text at a place, or bytes behind bytes, with `separator` between them. */
  append(
    key: string,
    path: string,
    tail: string | Uint8Array,
    separator?: string | Uint8Array,
  ): Done<M, void> {
    return this.#write({ op: 'json.append', key, path, value: tail, separator });
  }

  /** The content that a document had, the newest first. Reads the log; not in a transaction, and not in memory. */
  history<T = Value>(key: string, limit = 100): Past<T>[] {
    return pasts(this.#caller.read({ op: 'json.history', key: text('key', key), limit }));
  }

  /** A document as it was at a version. Reads the log; not in a transaction, and not in memory. */
  getAt<T = Value>(key: string, version: Version): Stored<T> | undefined {
    return stored(this.#caller.read({ op: 'json.get_at', key: text('key', key), version }));
  }

  #write(operation: { op: string; key: string; [parameter: string]: unknown }): Done<M, void> {
    return this.#do(() => this.#caller.write({ ...operation, key: text('key', operation.key) }, nothing));
  }

  #do<T>(write: () => Done<M, T>): Done<M, T> {
    return this.#caller.run(write);
  }
}

const place = (key: string, path: string) => ({ key: text('key', key), path: text('path', path) });
