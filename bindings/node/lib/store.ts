// Keys and documents: how they are read (the same on an engine and in a transaction), and how they are written.

import { native } from './addon';
import { StatewrightError } from './errors';
import { listing, type Listing } from './listing';
import type { Engine as EngineHandle, Txn as TxnHandle } from './native';
import type { Session } from './session';
import { decode, encode, integer, text, type Storable, type Value } from './values';

/** A key: bytes, or text, which is its UTF-8. */
export type Key = string | Uint8Array;

/** Which keys to list. */
export interface KvListOptions {
  /** Only keys that begin with this. */
  prefix?: Key;
  /** Only keys that come after this one. */
  after?: Key;
  /** At most so many. */
  limit?: number;
  /** What to give keys as: text by default, which fails on a key that is not UTF-8. */
  keys?: 'text' | 'bytes';
}

/** Which documents to list. */
export interface JsonListOptions {
  /** Only keys that begin with this. */
  prefix?: string;
  /** Only keys that come after this one. */
  after?: string;
  /** At most so many. */
  limit?: number;
}

/** The functions of the addon that read, on an engine or in a transaction, and how to call them. */
export interface Source<H> {
  call<A extends unknown[], R>(call: (handle: H, ...rest: A) => R, ...rest: A): R;
  /** Lists on another thread, where that is possible. */
  later?<A extends unknown[], R>(call: (handle: H, ...rest: A) => Promise<R>, ...rest: A): Promise<R>;
  space: string;
}

interface KvFunctions<H> {
  get(handle: H, space: string, key: Uint8Array): Uint8Array | undefined;
  list(handle: H, space: string, prefix: Uint8Array, after: Uint8Array, limit: number): Uint8Array;
  listLater?(
    handle: H,
    space: string,
    prefix: Uint8Array,
    after: Uint8Array,
    limit: number,
  ): Promise<Uint8Array>;
}

interface JsonFunctions<H> {
  get(handle: H, space: string, key: string, path: string): Uint8Array | undefined;
  version(handle: H, space: string, key: string): bigint | undefined;
  list(handle: H, space: string, prefix: string, after: string, limit: number): Uint8Array;
  listLater?(handle: H, space: string, prefix: string, after: string, limit: number): Promise<Uint8Array>;
}

/** Reads keys. */
export class KvReader<H> {
  readonly #source: Source<H>;
  readonly #functions: KvFunctions<H>;

  /** @internal */
  constructor(source: Source<H>, functions: KvFunctions<H>) {
    this.#source = source;
    this.#functions = functions;
  }

  /** The value of a key; undefined if there is none. */
  get<T = Value>(key: Key): T | undefined {
    const { call, space } = this.#source;
    const found = call(this.#functions.get, space, keyBytes('key', key));
    return found === undefined ? undefined : (decode(found) as T);
  }

  /** Keys in the order of their bytes, with their values. */
  list<T = Value>(options?: KvListOptions & { keys?: 'text' }): Listing<[string, T]>;
  list<T = Value>(options: KvListOptions & { keys: 'bytes' }): Listing<[Uint8Array, T]>;
  list<T = Value>(options: KvListOptions = {}): Listing<[Key, T]> {
    const { call, later, space } = this.#source;
    const { list, listLater } = this.#functions;
    const prefix = keyBytes('prefix', options.prefix ?? '');
    const first = keyBytes('after', options.after ?? '');
    type Raw = [Uint8Array, T];
    const read = (bytes: Uint8Array) => decode(bytes) as Raw[];
    const asText = options.keys !== 'bytes';
    return listing<Raw, [Key, T]>({
      now: (after, limit) => read(call(list, space, prefix, after?.[0] ?? first, limit)),
      ...(later && listLater
        ? {
            later: async (after, limit) =>
              read(await later(listLater, space, prefix, after?.[0] ?? first, limit)),
          }
        : {}),
      show: ([key, value]) => [asText ? keyText(key) : key, value],
      limit: options.limit,
    });
  }
}

/**
 * Reads documents. A path is a place in one, such as `.lines[0].price`; the empty path is the whole document.
 */
export class JsonReader<H> {
  readonly #source: Source<H>;
  readonly #functions: JsonFunctions<H>;

  /** @internal */
  constructor(source: Source<H>, functions: JsonFunctions<H>) {
    this.#source = source;
    this.#functions = functions;
  }

  /** The document, or what is at a place in it; undefined if either is not there. */
  get<T = Value>(key: string, path = ''): T | undefined {
    const { call, space } = this.#source;
    const found = call(this.#functions.get, space, text('key', key), text('path', path));
    return found === undefined ? undefined : (decode(found) as T);
  }

  /** The version of the commit that last changed the document; undefined if there is none. */
  version(key: string): number | bigint | undefined {
    const { call, space } = this.#source;
    const found = call(this.#functions.version, space, text('key', key));
    return found === undefined ? undefined : integer(found);
  }

  /** Documents in the order of their keys. */
  list<T = Value>(options: JsonListOptions = {}): Listing<[string, T]> {
    const { call, later, space } = this.#source;
    const { list, listLater } = this.#functions;
    const prefix = text('prefix', options.prefix ?? '');
    const first = text('after', options.after ?? '');
    type Raw = [string, T];
    const read = (bytes: Uint8Array) => decode(bytes) as Raw[];
    return listing<Raw, Raw>({
      now: (after, limit) => read(call(list, space, prefix, after?.[0] ?? first, limit)),
      ...(later && listLater
        ? {
            later: async (after, limit) =>
              read(await later(listLater, space, prefix, after?.[0] ?? first, limit)),
          }
        : {}),
      show: (raw) => raw,
      limit: options.limit,
    });
  }
}

/** The keys of a space. Each write is a transaction of its own, durable when its promise is fulfilled. */
export class Kv extends KvReader<EngineHandle> {
  readonly #session: Session;
  readonly #space: string;

  /** @internal */
  constructor(session: Session, space: string) {
    const functions = { get: native.kvGet, list: native.kvList, listLater: native.kvListAsync };
    super(sourceOf(session, space), functions);
    this.#session = session;
    this.#space = space;
  }

  /** Sets a key. */
  async put(key: Key, value: Storable): Promise<void> {
    const bytes = keyBytes('key', key);
    await this.#session.commit(native.kvPut, native.kvPutAsync, this.#space, bytes, encode(value));
  }

  /** Removes a key; false if it was not there. */
  async delete(key: Key): Promise<boolean> {
    return this.#session.commit(native.kvDelete, native.kvDeleteAsync, this.#space, keyBytes('key', key));
  }
}

/**
 * The JSON documents of a space. Each write is a transaction of its own, durable when its promise is fulfilled.
 */
export class Json extends JsonReader<EngineHandle> {
  readonly #session: Session;
  readonly #space: string;

  /** @internal */
  constructor(session: Session, space: string) {
    const { jsonGet: get, jsonVersion: version, jsonList: list, jsonListAsync: listLater } = native;
    super(sourceOf(session, space), { get, version, list, listLater });
    this.#session = session;
    this.#space = space;
  }

  /** Makes a document; `SW_ALREADY_EXISTS` if there is one. */
  async create(key: string, value: Storable): Promise<void> {
    const name = text('key', key);
    await this.#session.commit(native.jsonCreate, native.jsonCreateAsync, this.#space, name, encode(value));
  }

  /**
   * Sets one place in a document, making missing objects on the way; an index equal to an array's length
   * appends. `SW_NOT_FOUND` if there is no such document; the empty path makes or replaces it.
   */
  async set(key: string, path: string, value: Storable): Promise<void> {
    const { jsonSet, jsonSetAsync } = native;
    const place = [text('key', key), text('path', path)] as const;
    await this.#session.commit(jsonSet, jsonSetAsync, this.#space, ...place, encode(value));
  }

  /** Removes one place from a document, later elements of an array move up; false if there was nothing. */
  async remove(key: string, path: string): Promise<boolean> {
    const place = [text('key', key), text('path', path)] as const;
    return this.#session.commit(native.jsonRemove, native.jsonRemoveAsync, this.#space, ...place);
  }

  /** Removes a document; false if it was not there. */
  async drop(key: string): Promise<boolean> {
    return this.#session.commit(native.jsonDrop, native.jsonDropAsync, this.#space, text('key', key));
  }
}

/**
 * The keys of a space as a transaction sees them, with its own writes; nobody else sees those before it
 * commits.
 */
export class TxnKv extends KvReader<TxnHandle> {
  readonly #source: Source<TxnHandle>;

  /** @internal */
  constructor(source: Source<TxnHandle>) {
    super(source, { get: native.txnKvGet, list: native.txnKvList });
    this.#source = source;
  }

  /** Sets a key. */
  put(key: Key, value: Storable): void {
    const { call, space } = this.#source;
    call(native.txnKvPut, space, keyBytes('key', key), encode(value));
  }

  /** Removes a key; false if it was not there. */
  delete(key: Key): boolean {
    const { call, space } = this.#source;
    return call(native.txnKvDelete, space, keyBytes('key', key));
  }
}

/** The documents of a space as a transaction sees them, with its own writes. */
export class TxnJson extends JsonReader<TxnHandle> {
  readonly #source: Source<TxnHandle>;

  /** @internal */
  constructor(source: Source<TxnHandle>) {
    super(source, { get: native.txnJsonGet, version: native.txnJsonVersion, list: native.txnJsonList });
    this.#source = source;
  }

  /** As {@link Json.create}. */
  create(key: string, value: Storable): void {
    const { call, space } = this.#source;
    call(native.txnJsonCreate, space, text('key', key), encode(value));
  }

  /** As {@link Json.set}. */
  set(key: string, path: string, value: Storable): void {
    const { call, space } = this.#source;
    call(native.txnJsonSet, space, text('key', key), text('path', path), encode(value));
  }

  /** As {@link Json.remove}. */
  remove(key: string, path: string): boolean {
    const { call, space } = this.#source;
    return call(native.txnJsonRemove, space, text('key', key), text('path', path));
  }

  /** As {@link Json.drop}. */
  drop(key: string): boolean {
    const { call, space } = this.#source;
    return call(native.txnJsonDrop, space, text('key', key));
  }
}

/** A part of the store with keys and documents of its own. */
export class Space {
  /** The name, such as `tenant/app/agent/run`; empty is `default`. */
  readonly name: string;
  readonly kv: Kv;
  readonly json: Json;

  /** @internal */
  constructor(session: Session, name: string) {
    this.name = text('name', name);
    this.kv = new Kv(session, name);
    this.json = new Json(session, name);
  }
}

function sourceOf(session: Session, space: string): Source<EngineHandle> {
  return { call: session.now.bind(session), later: session.later.bind(session), space };
}

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function keyBytes(name: string, key: Key): Uint8Array {
  if (typeof key === 'string') return utf8.encode(text(name, key));
  if (!(key instanceof Uint8Array)) throw new TypeError(`\`${name}\` must be a string or a Uint8Array`);
  // Memory that another thread may change is copied first.
  return key.buffer instanceof SharedArrayBuffer ? key.slice() : key;
}

function keyText(key: Uint8Array): string {
  try {
    return strictUtf8.decode(key);
  } catch (cause) {
    const path = Buffer.from(key).toString('hex');
    const help = "list with keys: 'bytes'";
    throw new StatewrightError(`the key with the bytes ${path} is not text`, {
      code: 'SW_INVALID_UTF8',
      path,
      help,
      cause,
    });
  }
}
