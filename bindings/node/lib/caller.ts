// How operations are made: on an engine, where each write is a commit of its own, or in a transaction.

import { native } from './addon';
import { attempt } from './errors';
import { Listing, type Walk } from './listing';
import type { Scan, Txn as TxnHandle } from './native';
import type { Session } from './session';
import { given } from './state';
import { decode, encode, text, type Value } from './values';

/** Whether writes are commits of their own, and so promises, or parts of a transaction, and done at once. */
export type Mode = 'engine' | 'txn';

/** What a write gives: a promise on an engine. */
export type Done<M extends Mode, T> = M extends 'engine' ? Promise<T> : T;

/** What a write gives that a transaction cannot tell before it is committed. */
export type Late<M extends Mode, T> = M extends 'engine' ? Promise<T> : void;

/** An operation without its space. */
export interface Operation {
  op: string;
  /** The space, if it is not the caller's. */
  in?: string;
  [parameter: string]: unknown;
}

/** How to iterate. */
export interface ListOptions {
  /** At most so many; all if not given. */
  limit?: number | undefined;
  /** Ends it between two pages; it throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What differs between an engine and a transaction. */
export interface Caller<M extends Mode> {
  readonly space: string;
  /** Runs a write: on an engine, what it throws rejects the promise. */
  run<T>(write: () => Done<M, T>): Done<M, T>;
  /** Reads, at once. */
  read(operation: Operation): Value;
  /** Writes; `show` makes what is given of what the library gives. */
  write<T>(operation: Operation, show: (given: Value) => T): Done<M, T>;
  /** Goes through a list of any length. The caller has looked at its other options. */
  list<R, T>(operation: Operation, show: (item: R) => T, options: ListOptions): Listing<T>;
  kvGet(key: Uint8Array): Uint8Array | undefined;
  kvPut(key: Uint8Array, value: Uint8Array): Done<M, void>;
  kvDelete(key: Uint8Array): Done<M, boolean>;
  jsonGet(key: string, path: string): Uint8Array | undefined;
  jsonVersion(key: string): bigint | undefined;
  jsonCreate(key: string, value: Uint8Array): Done<M, void>;
  jsonSet(key: string, path: string, value: Uint8Array): Done<M, void>;
  jsonRemove(key: string, path: string): Done<M, boolean>;
  jsonDrop(key: string): Done<M, boolean>;
  append(stream: string, type: string, payload: object): Late<M, bigint>;
}

/** Entries and bytes that one page holds at most, whatever the length of the list. */
const PAGE = 256;
const PAGE_BYTES = 1n << 20n;

const complete = (space: string, { in: other, ...operation }: Operation) => ({
  ...operation,
  space: (other ?? space) || 'default',
});
const bytesOf = (space: string, operation: Operation) => encode(complete(space, operation));

export class EngineCaller implements Caller<'engine'> {
  readonly #session: Session;
  readonly space: string;

  constructor(session: Session, space: string) {
    this.#session = session;
    this.space = text('name', space);
  }

  async run<T>(write: () => Promise<T>): Promise<T> {
    return write();
  }

  read(operation: Operation): Value {
    const calls = encode([complete(this.space, operation)]);
    const { results } = this.#session.now(native.call, calls);
    return (decode(results) as Value[])[0] as Value;
  }

  async write<T>(operation: Operation, show: (given: Value) => T): Promise<T> {
    const calls = encode([complete(this.space, operation)]);
    const { results } = await this.#session.commit(native.call, native.callAsync, calls);
    return show((decode(results) as Value[])[0] as Value);
  }

  list<R, T>(operation: Operation, show: (item: R) => T, options: ListOptions): Listing<T> {
    const open = () => this.#session.now(native.scanOpen, bytesOf(this.space, operation));
    return listed(open, operation, show, options, true);
  }

  kvGet(key: Uint8Array) {
    return this.#session.now(native.kvGet, this.space, key);
  }
  kvPut(key: Uint8Array, value: Uint8Array) {
    return this.#session.commit(native.kvPut, native.kvPutAsync, this.space, key, value);
  }
  kvDelete(key: Uint8Array) {
    return this.#session.commit(native.kvDelete, native.kvDeleteAsync, this.space, key);
  }
  jsonGet(key: string, path: string) {
    return this.#session.now(native.jsonGet, this.space, key, path);
  }
  jsonVersion(key: string) {
    return this.#session.now(native.jsonVersion, this.space, key);
  }
  jsonCreate(key: string, value: Uint8Array) {
    return this.#session.commit(native.jsonCreate, native.jsonCreateAsync, this.space, key, value);
  }
  jsonSet(key: string, path: string, value: Uint8Array) {
    return this.#session.commit(native.jsonSet, native.jsonSetAsync, this.space, key, path, value);
  }
  jsonRemove(key: string, path: string) {
    return this.#session.commit(native.jsonRemove, native.jsonRemoveAsync, this.space, key, path);
  }
  jsonDrop(key: string) {
    return this.#session.commit(native.jsonDrop, native.jsonDropAsync, this.space, key);
  }
  append(stream: string, type: string, payload: object) {
    const { eventAppend, eventAppendAsync } = native;
    return this.#session.commit(eventAppend, eventAppendAsync, this.space, stream, type, encode(payload));
  }
}

export class TxnCaller implements Caller<'txn'> {
  readonly #handle: () => TxnHandle;
  readonly space: string;

  constructor(handle: () => TxnHandle, space: string) {
    this.#handle = handle;
    this.space = text('name', space);
  }

  #call<A extends unknown[], R>(call: (txn: TxnHandle, ...rest: A) => R, ...rest: A): R {
    return attempt(() => call(this.#handle(), ...rest));
  }

  run<T>(write: () => T): T {
    return write();
  }

  read(operation: Operation): Value {
    return decode(this.#call(native.txnCall, bytesOf(this.space, operation)));
  }

  write<T>(operation: Operation, show: (given: Value) => T): T {
    return show(this.read(operation));
  }

  list<R, T>(operation: Operation, show: (item: R) => T, options: ListOptions): Listing<T> {
    const open = () => this.#call(native.scanOpenIn, bytesOf(this.space, operation));
    return listed(open, operation, show, options, false);
  }

  kvGet(key: Uint8Array) {
    return this.#call(native.txnKvGet, this.space, key);
  }
  kvPut(key: Uint8Array, value: Uint8Array) {
    this.#call(native.txnKvPut, this.space, key, value);
  }
  kvDelete(key: Uint8Array) {
    return this.#call(native.txnKvDelete, this.space, key);
  }
  jsonGet(key: string, path: string) {
    return this.#call(native.txnJsonGet, this.space, key, path);
  }
  jsonVersion(key: string) {
    return this.#call(native.txnJsonVersion, this.space, key);
  }
  jsonCreate(key: string, value: Uint8Array) {
    this.#call(native.txnJsonCreate, this.space, key, value);
  }
  jsonSet(key: string, path: string, value: Uint8Array) {
    this.#call(native.txnJsonSet, this.space, key, path, value);
  }
  jsonRemove(key: string, path: string) {
    return this.#call(native.txnJsonRemove, this.space, key, path);
  }
  jsonDrop(key: string) {
    return this.#call(native.txnJsonDrop, this.space, key);
  }
  append(stream: string, type: string, payload: object) {
    this.#call(native.txnCall, bytesOf(this.space, { op: 'event.append', stream, type, payload: given(payload) }));
  }
}

/** A walk that nobody can reach any more and that was not ended. */
const forgotten = new FinalizationRegistry<Scan>((scan) => {
  attempt(() => native.scanFree(scan));
});

/** A list of any length; on an engine it is also read on another thread. */
function listed<R, T>(
  open: () => Scan,
  operation: Operation,
  show: (item: R) => T,
  { limit, signal }: ListOptions,
  threads: boolean,
): Listing<T> {
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
    throw new TypeError('`limit` must be a whole number, not negative');
  }
  if (limit !== undefined) operation.limit = limit;
  return new Listing<T>(() => {
    signal?.throwIfAborted();
    const scan = open();
    const walk: Walk<T> = {
      done: false,
      now() {
        signal?.throwIfAborted();
        return take(attempt(() => native.scanNext(scan, PAGE, PAGE_BYTES)));
      },
      async later() {
        signal?.throwIfAborted();
        // In a transaction reading is quick, and belongs to one thread.
        return threads ? take(await native.scanNextAsync(scan, PAGE, PAGE_BYTES)) : this.now();
      },
      end() {
        forgotten.unregister(walk);
        attempt(() => native.scanFree(scan));
      },
    };
    const take = ({ items, done }: { items: Uint8Array; done: boolean }): T[] => {
      walk.done = done;
      return (decode(items) as R[]).map(show);
    };
    forgotten.register(walk, scan, walk);
    return walk;
  });
}
