// Documents: values that the library holds.

import { native } from './addon';
import { attempt } from './errors';
import { choice, Held, limit } from './held';
import type { Value as Handle } from './native';
import { known } from './state';
import { decode, encode, text, type Storable, type Value } from './values';

/** What is at a place of a document. */
export type Kind =
  | 'null'
  | 'boolean'
  | 'integer'
  | 'float'
  | 'decimal'
  | 'text'
  | 'bytes'
  | 'date'
  | 'time'
  | 'datetime'
  | 'duration'
  | 'file'
  | 'array'
  | 'object';

/** How much is read of what comes from outside. A limit that is not given, or 0, is that of `limits`. */
export interface ReadOptions {
  /**
   * `standard`, the default: depth 128, 64 KiB per key, 16 MiB per string, 64 MiB, 10 million values. `strict`, for
   * input from strangers: depth 32, 1 KiB, 256 KiB, 1 MiB, 100,000. `permissive`, for large data of one's own: depth
   * 512, 1 MiB per key, 100 million values.
   */
  limits?: 'standard' | 'strict' | 'permissive';
  /** Of JSON: typed JSON, in which `{"$decimal": "12.50"}` is a decimal. */
  typed?: boolean;
  /** The deepest nesting, at most 1024. */
  maxDepth?: number;
  /** The longest key in bytes. */
  maxKey?: number;
  /** The longest text or byte string in bytes. */
  maxString?: number;
  /** The longest input in bytes. */
  maxBytes?: number;
  /** The most values in all. */
  maxItems?: number;
}

/** How JSON text is laid out. */
export interface JsonStyle {
  /** Line breaks and two spaces of indentation. */
  pretty?: boolean;
  /** The keys of every object in byte order: equal documents give equal text. */
  sorted?: boolean;
  /** Typed JSON: objects such as `{"$decimal": "12.50"}` for what JSON lacks, so that every kind reads back. */
  typed?: boolean;
  /** Canonical JSON (RFC 8785), the same bytes in every language; not together with the others. */
  canonical?: boolean;
}

/** How {@link Document.merge} puts two documents together. */
export interface MergeOptions {
  /** Objects are merged at every level, which is the default; otherwise only at the first. */
  deep?: boolean;
  /**
   * What becomes of two arrays: the other one takes the place of this one (`replace`, the default), its items come
   * after this one's (`append`), those that this one does not have do (`union`), or items of the same index are merged
   * (`byIndex`).
   */
  arrays?: 'replace' | 'append' | 'union' | 'byIndex';
  /** What a null in the other one is: a value (`keep`, the default), nothing (`skip`), or the end of a member (`remove`). */
  nulls?: 'keep' | 'skip' | 'remove';
}

/** A place that two versions have changed, each in another way. A side that has nothing there has no member. */
export interface Conflict {
  path: string;
  base?: Value;
  ours?: Value;
  theirs?: Value;
}

/** What {@link Document.merge3} makes of two versions. */
export interface Merged {
  /** Both changes; where they do not go together, what was preferred, else ours. */
  document: Document;
  /** The places where they do not go together; empty if something was preferred. */
  conflicts: Conflict[];
}

const { constants } = native;

const KINDS: Readonly<Record<number, Kind>> = {
  [constants.SW_KIND_NULL]: 'null',
  [constants.SW_KIND_BOOL]: 'boolean',
  [constants.SW_KIND_INTEGER]: 'integer',
  [constants.SW_KIND_FLOAT]: 'float',
  [constants.SW_KIND_DECIMAL]: 'decimal',
  [constants.SW_KIND_TEXT]: 'text',
  [constants.SW_KIND_BYTES]: 'bytes',
  [constants.SW_KIND_DATE]: 'date',
  [constants.SW_KIND_TIME]: 'time',
  [constants.SW_KIND_DATETIME]: 'datetime',
  [constants.SW_KIND_DURATION]: 'duration',
  [constants.SW_KIND_FILE]: 'file',
  [constants.SW_KIND_ARRAY]: 'array',
  [constants.SW_KIND_OBJECT]: 'object',
};
const LIMITS = { standard: 0, strict: constants.SW_READ_STRICT, permissive: constants.SW_READ_PERMISSIVE };
const ARRAYS = {
  replace: constants.SW_ARRAYS_REPLACE,
  append: constants.SW_ARRAYS_APPEND,
  union: constants.SW_ARRAYS_UNION,
  byIndex: constants.SW_ARRAYS_BY_INDEX,
};
const NULLS = {
  keep: constants.SW_NULLS_KEEP,
  skip: constants.SW_NULLS_SKIP,
  remove: constants.SW_NULLS_REMOVE,
};
const PREFER = {
  none: constants.SW_PREFER_NONE,
  ours: constants.SW_PREFER_OURS,
  theirs: constants.SW_PREFER_THEIRS,
  base: constants.SW_PREFER_BASE,
};

/** How many entries the first page of a walk has; each has twice as many as the one before. */
const FIRST_PAGE = 64;
const LARGEST_PAGE = 65_536;

/**
 * A value that the library holds: for what is large, is looked into at a few places, or is to be changed place by
 * place, queried, patched, compared or checked. Small plain data is better off as JavaScript values.
 *
 * A path names a place: `.lines[0].price`, `/lines/0/price` (RFC 6901) or `$.lines[0].price` (RFC 9535); empty is the
 * whole document. Every change does all that it says, or throws and changes nothing.
 *
 *     using order = Document.fromJSON(text);
 *     const price = order.get('.lines[0].price');
 *     order.set('.paid', true);
 */
export class Document extends Held<Handle> {
  /** @internal */
  constructor(handle: Handle) {
    super(handle, native.valueFree);
  }

  // In.

  /** A document of a JavaScript value, by the rules of everything that is stored; a copy of another document. */
  static of(value: Storable | Document): Document {
    return value instanceof Document ? value.clone() : Document.fromMsgpack(encode(value));
  }

  /** Reads JSON text (RFC 8259). Throws `SW_INVALID_JSON`, or `SW_LIMIT` above a limit. */
  static fromJSON(json: string, options?: ReadOptions): Document {
    return attempt(() => new Document(native.valueFromJson(text('json', json), low(options))));
  }

  /** Reads one value as MessagePack. Throws `SW_INVALID_MSGPACK`, or `SW_LIMIT`. */
  static fromMsgpack(bytes: Uint8Array, options?: ReadOptions): Document {
    return attempt(() => new Document(native.valueFromMsgpack(bytes, low(options))));
  }

  /** Reads one value as CBOR (RFC 8949). Throws `SW_INVALID_CBOR`, or `SW_LIMIT`. */
  static fromCBOR(bytes: Uint8Array, options?: ReadOptions): Document {
    return attempt(() => new Document(native.valueFromCbor(bytes, low(options))));
  }

  /** Reads what {@link packed} has written, and checks it whole. Throws `SW_INVALID_PACKED`, or `SW_LIMIT`. */
  static fromPacked(bytes: Uint8Array, options?: ReadOptions): Document {
    return attempt(() => new Document(native.valueFromPacked(bytes, low(options))));
  }

  /** Another document with what this one holds now, at the same cost for any size: both share what neither changes. */
  clone(): Document {
    return attempt(() => new Document(native.valueClone(this.handle)));
  }

  // Out.

  /** What it holds as a JavaScript value. Integers that are not safe are bigints. */
  value<T = Value>(): T {
    return decode(attempt(() => native.valueToMsgpack(this.handle))) as T;
  }

  /** For `JSON.stringify`, which refuses bigints: `json()` does not. */
  toJSON(): Value {
    return this.value();
  }

  /** As JSON text: compact, unless `style` says otherwise. Unless it is typed, bytes become `{"$bytes": "<base64>"}`. */
  json(style: JsonStyle = {}): string {
    let flags = 0;
    const { pretty, sorted, typed, canonical } = known(style, 'pretty', 'sorted', 'typed', 'canonical');
    if (pretty) flags |= constants.SW_JSON_PRETTY;
    if (sorted) flags |= constants.SW_JSON_SORTED;
    if (typed) flags |= constants.SW_JSON_TYPED;
    if (canonical) flags |= constants.SW_JSON_CANONICAL;
    return attempt(() => native.valueToJson(this.handle, flags));
  }

  /** As compact JSON text. */
  override toString(): string {
    return this.json();
  }

  /** As MessagePack, which every kind reads back from. */
  msgpack(): Uint8Array {
    return attempt(() => native.valueToMsgpack(this.handle));
  }

  /** As CBOR (RFC 8949); if `deterministic`, equal documents give equal bytes. */
  cbor(options: { deterministic?: boolean } = {}): Uint8Array {
    const { deterministic } = known(options, 'deterministic');
    const flags = deterministic ? constants.SW_CBOR_DETERMINISTIC : 0;
    return attempt(() => native.valueToCbor(this.handle, flags));
  }

  /** As it lies in memory: the quickest to read back, for caches and processes with the same version of the library. */
  packed(): Uint8Array {
    return attempt(() => native.valueToPacked(this.handle));
  }

  /** The BLAKE3 hash of what it holds, 32 bytes: equal documents have equal hashes, everywhere and for good. */
  contentHash(): Uint8Array {
    return attempt(() => native.valueContentHash(this.handle));
  }

  // Reading.

  /** What is at a place; undefined if nothing is. */
  kind(path = ''): Kind | undefined {
    return KINDS[attempt(() => native.valueKind(this.handle, text('path', path)))];
  }

  /** Whether something, be it null, is at a place. */
  has(path: string): boolean {
    return this.kind(path) !== undefined;
  }

  /** The items of an array, the entries of an object, the bytes of text or bytes; 0 for other kinds and for nothing. */
  size(path = ''): number {
    return attempt(() => native.valueLen(this.handle, text('path', path))) ?? 0;
  }

  /** What is at a place as a JavaScript value; undefined if nothing is. */
  get<T = Value>(path = ''): T | undefined {
    const found = attempt(() => native.valueGetMsgpack(this.handle, text('path', path)));
    return found === undefined ? undefined : (decode(found) as T);
  }

  /** What is at a place as a document of its own, at the same cost for any size; undefined if nothing is. */
  at(path: string): Document | undefined {
    return held(() => native.valueGet(this.handle, text('path', path)));
  }

  /**
   * The entries of the object at a place, in their order, or the items of the array with their indexes: read page by
   * page while they are iterated, of the document as it was when that began. Throws `SW_WRONG_TYPE` if there is neither.
   */
  *entries<T = Value>(path = ''): Generator<[key: string | number, value: T], void, undefined> {
    const cursor = attempt(() => native.cursorOpen(this.handle, text('path', path)));
    try {
      const keyed = this.kind(path) === 'object';
      let index = 0;
      for (let size = FIRST_PAGE; ; size = Math.min(size * 2, LARGEST_PAGE)) {
        const page = decode(attempt(() => native.cursorPage(cursor, size))) as unknown[];
        if (page.length === 0) return;
        if (keyed) yield* page as [string, T][];
        else for (const item of page) yield [index++, item as T];
      }
    } finally {
      attempt(() => native.cursorFree(cursor));
    }
  }

  // Changing.

  /**
   * Puts a value at a place: it replaces what is there, and makes missing objects on the way. An index equal to an
   * array's length appends, as `-` does at the end of a JSON Pointer.
   */
  set(path: string, to: Storable | Document): void {
    text('path', path);
    if (to instanceof Document) attempt(() => native.valueSet(this.handle, path, to.handle));
    else attempt(() => native.valueSetMsgpack(this.handle, path, encode(to)));
  }

  /** Reads JSON text and puts it at a place. */
  setJSON(path: string, json: string): void {
    attempt(() => native.valueSetJson(this.handle, text('path', path), text('json', json)));
  }

  /** Puts a value before the item of an array at a place; later items move on. */
  insert(path: string, item: Storable | Document): void {
    lend(item, (item) => native.valueInsert(this.handle, text('path', path), item));
  }

  /** Appends a value to the array at a place. */
  push(path: string, item: Storable | Document): void {
    lend(item, (item) => native.valuePush(this.handle, text('path', path), item));
  }

  /** Removes what is at a place; later items of an array move up. False if nothing was there. */
  remove(path: string): boolean {
    return attempt(() => native.valueRemove(this.handle, text('path', path)));
  }

  /** Removes what is at a place and gives it; undefined if nothing was there. */
  take(path: string): Document | undefined {
    return held(() => native.valueTake(this.handle, text('path', path)));
  }

  // Queries, patches, merges.

  /** Everything that a JSONPath query (RFC 9535) finds, in order. Texts that were used lately are not compiled again. */
  query<T = Value>(query: string): T[] {
    return taken(() => native.valueQuery(this.handle, text('query', query))) as T[];
  }

  /** Applies a JSON Patch (RFC 6902): all of it, or nothing. `SW_PATCH_FAILED` says which operation failed, and why. */
  patch(operations: Storable | Document): void {
    lend(operations, (patch) => native.valuePatch(this.handle, patch));
  }

  /** Applies a JSON Merge Patch (RFC 7396). */
  mergePatch(changes: Storable | Document): void {
    lend(changes, (patch) => native.valueMergePatch(this.handle, patch));
  }

  /** The JSON Patch that turns this document into another. Of two versions of one it costs as much as they differ. */
  diff(after: Document): Document {
    return attempt(() => new Document(native.valueDiff(this.handle, after.handle)));
  }

  /** The JSON Merge Patch that turns this document into another, if there is one: it cannot set a member to null. */
  mergeDiff(after: Document): Document | undefined {
    return held(() => native.valueMergeDiff(this.handle, after.handle));
  }

  /** The JSON Patch that undoes this one, which was applied to `before`. */
  inverted(before: Document): Document {
    return attempt(() => new Document(native.valueInvert(this.handle, before.handle)));
  }

  /** Merges another value into this document. Members keep their order, and new ones come after them. */
  merge(other: Storable | Document, options: MergeOptions = {}): void {
    const { deep, arrays = 'replace', nulls = 'keep' } = known(options, 'deep', 'arrays', 'nulls');
    const how = {
      depth: deep === false ? constants.SW_MERGE_SHALLOW : constants.SW_MERGE_DEEP,
      arrays: choice('arrays', arrays, ARRAYS),
      nulls: choice('nulls', nulls, NULLS),
    };
    lend(other, (other) => native.valueMerge(this.handle, other, how));
  }

  /**
   * Merges what two sides have made of this document, place by place. Where both have changed one place, each in another
   * way, `prefer` decides; without it that is a conflict, which is reported.
   */
  merge3(ours: Document, theirs: Document, prefer: 'none' | 'ours' | 'theirs' | 'base' = 'none'): Merged {
    const chosen = choice('prefer', prefer, PREFER);
    const { merged, conflicts } = attempt(() =>
      native.valueMerge3(this.handle, ours.handle, theirs.handle, chosen),
    );
    return { document: new Document(merged), conflicts: decode(conflicts) as unknown as Conflict[] };
  }

  /** Whether both hold the same: `1` and `1.0` differ, the order of keys does not matter. */
  equals(other: Document): boolean {
    return attempt(() => native.valueEqual(this.handle, other.handle));
  }

  /** The order of all values: below 0 if this one comes first, 0 if both are equal. For `Array.prototype.sort`. */
  compare(other: Document): number {
    return attempt(() => native.valueCompare(this.handle, other.handle));
  }
}

/** Lends the handle of a document, or of one made of a value for the time being. */
export function lend<R>(value: Storable | Document, use: (handle: Handle) => R): R {
  if (value instanceof Document) return attempt(() => use(value.handle));
  return attempt(() => {
    const made = native.valueFromMsgpack(encode(value), undefined);
    try {
      return use(made);
    } finally {
      native.valueFree(made);
    }
  });
}

/** What a call gives, as a JavaScript value. */
export function taken(call: () => Handle): Value {
  return attempt(() => {
    const made = call();
    try {
      return decode(native.valueToMsgpack(made));
    } finally {
      native.valueFree(made);
    }
  });
}

function held(call: () => Handle | undefined): Document | undefined {
  const found = attempt(call);
  return found === undefined ? undefined : new Document(found);
}

function low(options: ReadOptions | undefined) {
  if (options === undefined) return undefined;
  known(options, 'limits', 'typed', 'maxDepth', 'maxKey', 'maxString', 'maxBytes', 'maxItems');
  const typed = options.typed ? constants.SW_READ_TYPED : 0;
  return {
    flags: choice('limits', options.limits ?? 'standard', LIMITS) | typed,
    maxDepth: options.maxDepth ?? 0,
    maxKey: options.maxKey ?? 0,
    maxString: limit('maxString', options.maxString),
    maxBytes: limit('maxBytes', options.maxBytes),
    maxItems: limit('maxItems', options.maxItems),
  };
}
