// What the primitives share: keys, times, and what is stored with a value.

import { StatewrightError } from './errors';
import type { ListOptions } from './caller';
import { text, type Storable, type Value } from './values';

/** A key: bytes, or text, which is its UTF-8. */
export type Key = string | Uint8Array;

/** A version of the store: the number of a commit. */
export type Version = number | bigint;

/** A value with what the store knows of it. */
export interface Stored<T = Value> {
  value: T;
  /** The commit that last changed it; in the transaction that changed it, one more than the version it reads. */
  version: Version;
  /** From when on it is no longer there; undefined if it stays. */
  expires?: Date;
}

/** A value that was there once. */
export interface Past<T = Value> {
  version: Version;
  time: Date;
  /** Undefined if it was removed then. */
  value?: T;
  removed?: true;
  /** When it was to expire; undefined if it was to stay. */
  expires?: Date;
}

/** Which part of a list. */
export interface PageOptions extends ListOptions {
  /** Only what begins with this. */
  prefix?: string;
  /** Only what comes after this one. */
  after?: string;
}

/** A span of time: from `since` on, and before `until`. */
export interface SpanOptions extends ListOptions {
  since?: Date | undefined;
  until?: Date | undefined;
}

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function keyBytes(name: string, key: Key): Uint8Array {
  if (typeof key === 'string') return utf8.encode(text(name, key));
  if (!(key instanceof Uint8Array)) throw new TypeError(`\`${name}\` must be a string or a Uint8Array`);
  // Memory that another thread may change is copied first.
  return key.buffer instanceof SharedArrayBuffer ? key.slice() : key;
}

export function keyText(key: Key): string {
  if (typeof key === 'string') return key;
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

/** The options, of which all must be known: one that is misspelt would be none, and nobody would be told. */
export function known<T extends object>(options: T, ...names: readonly (keyof T & string)[]): T {
  if (typeof options !== 'object' || options === null) throw new TypeError('the options must be an object');
  for (const name in options) {
    if (!(names as readonly string[]).includes(name)) throw new TypeError(`there is no option \`${name}\`, but ${names.join(', ')}`);
  }
  return options;
}

/** The options of a list that has others than these. */
export const LISTED = ['limit', 'signal'] as const;
/** The options of a list in pages. */
export const PAGED = [...LISTED, 'prefix', 'after'] as const;
/** The options of a list over a span of time. */
export const SPANNED = [...LISTED, 'since', 'until'] as const;

/** What is stored: anything but undefined. */
export function given(value: Storable): Storable {
  if (value !== undefined) return value;
  throw new StatewrightError('undefined is no value; null is', { code: 'SW_INVALID_ARGUMENT' });
}

/** A version that is a condition: nothing in its place would be none, and a write that should be refused is made. */
export function expectedVersion(name: string, version: Version): Version {
  if (typeof version === 'number' || typeof version === 'bigint') return version;
  throw new TypeError(`\`${name}\` must be a version, not ${version}`);
}

/** How long, in whole milliseconds: a key is not gone too early. */
export function wholeMilliseconds(name: string, given: number | undefined): number | undefined {
  if (given === undefined) return undefined;
  const whole = Math.ceil(typeof given === 'number' ? given : NaN);
  if (Number.isSafeInteger(whole) && given >= 0) return whole;
  throw new TypeError(`\`${name}\` must be a number of milliseconds, not negative`);
}

/** Times are microseconds since 1970. */
export const date = (micros: unknown): Date =>
  new Date(typeof micros === 'bigint' ? Number(micros / 1000n) : Math.floor(Number(micros) / 1000));
export const dateOrNull = (micros: unknown): Date | null => (micros === null ? null : date(micros));

export function micros(name: string, at: Date | undefined): bigint | undefined {
  if (at === undefined) return undefined;
  if (at instanceof Date && Number.isFinite(at.getTime())) return BigInt(at.getTime()) * 1000n;
  throw new TypeError(`\`${name}\` must be a Date`);
}

export function span({ since, until }: SpanOptions): { since?: bigint | undefined; until?: bigint | undefined } {
  return { since: micros('since', since), until: micros('until', until) };
}

type Raw = { [key: string]: Value };

export function stored<T>(found: Value): Stored<T> | undefined {
  if (found === null) return undefined;
  const { value, version, expires } = found as Raw;
  const there = { value: value as T, version: version as Version };
  return expires === undefined ? there : { ...there, expires: date(expires) };
}

export function pasts<T>(found: Value): Past<T>[] {
  return (found as Raw[]).map(({ version, time, expires, ...rest }) => ({
    version: version as Version,
    time: date(time),
    ...(rest as { value: T } | { removed: true }),
    ...(expires === undefined ? {} : { expires: date(expires) }),
  }));
}

/** Null is how the library says that there is none. */
export const orNone = <T>(found: Value): T | undefined => (found === null ? undefined : (found as T));
export const nothing = (): void => undefined;
export const as = <T>(found: Value): T => found as T;
