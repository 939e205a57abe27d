// JavaScript values to MessagePack and back.
//
// The codec is @msgpack/msgpack. What it does not do is done here, in a walk before encoding and one after
// decoding: an integer is a number when that is exact and a bigint otherwise, both ways; text must be text; and
// what JSON.stringify would lose silently is refused, with the place where it was found. What it does not read as it
// is, `reader.ts` reads.

import { Encoder, ExtData, decode as decodeMessagePack } from '@msgpack/msgpack';

import { StatewrightError, type StatusName } from './errors';
import { Extended, extendedOf } from './extended';
import { read } from './reader';

/**
 * What the store holds. Integers are numbers when they are safe integers, else bigints (from -2^63 to 2^64 -
 * 1); bytes are a `Uint8Array`; decimals, dates, times and files are {@link Extended}.
 */
export type Value =
  null | boolean | number | bigint | string | Uint8Array | Extended | Value[] | { [key: string]: Value };

/**
 * What can be stored: a {@link Value}, or what turns into one as with `JSON.stringify`: an object with a
 * `toJSON` method (such as a `Date`), an instance of a class, an object with members that are `undefined` (they
 * are left out).
 */
export type Storable = Value | object;

/** The deepest nesting that the library takes. */
const MAX_DEPTH = 128;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 64n - 1n;
/** About 285 years: nanoseconds are 64 bits. */
const MAX_MILLISECONDS = 9e12;
/** An encoder that has grown larger than this is given up, and its memory with it. */
const KEPT_BYTES = 1 << 20;

/** How MessagePack's extensions are written and read. */
const extensions = {
  tryToEncode: (object: unknown): ExtData | null => (object instanceof ExtData ? object : null),
  decode: (data: Uint8Array, type: number): Extended => extendedOf(type, data.slice()),
};
const READING = { useBigInt64: true, extensionCodec: extensions };
const newEncoder = (): Encoder => new Encoder({ ...READING, maxDepth: MAX_DEPTH * 2 });
let encoder = newEncoder();
const MARK = Buffer.from('\ufeff');

/** The value as MessagePack. The bytes are valid until the next call. */
export function encode(value: unknown): Uint8Array {
  if (value === undefined) throw refused('undefined is no value; null is', [], 'SW_INVALID_ARGUMENT');
  const bytes = encoder.encodeSharedRef(prepared(value, []));
  if (bytes.buffer.byteLength > KEPT_BYTES) encoder = newEncoder();
  return bytes;
}

/** MessagePack as a value, which shares no memory with the bytes. */
export function decode(bytes: Uint8Array): Value {
  if (mayLoseMark(bytes)) return readExactly(bytes);
  try {
    return restored(decodeMessagePack(bytes, READING)) as Value;
  } catch (error) {
    if (error instanceof Error && error.message.includes('__proto__')) return readExactly(bytes);
    throw error;
  }
}

/** For what the codec refuses, or does not read as it is: see `reader.ts`. */
const readExactly = (bytes: Uint8Array): Value => read(bytes, { integer, extension: extendedOf }) as Value;

/** Whether a text may begin with U+FEFF and be long enough for the codec to take that away. */
function mayLoseMark({ buffer, byteOffset, length }: Uint8Array): boolean {
  return length > 200 && Buffer.from(buffer, byteOffset, length).includes(MARK);
}

/** The number if it is exact, else the bigint. */
export function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Text for C: anything that is not a string, or that UTF-8 cannot hold, is refused. */
export function text(name: string, value: string): string {
  if (typeof value !== 'string') throw new TypeError(`\`${name}\` must be a string`);
  if (value.isWellFormed()) return value;
  const help = 'text must not hold half of a surrogate pair';
  throw new StatewrightError(`\`${name}\` is not valid text`, { code: 'SW_INVALID_UTF8', path: name, help });
}

/** Milliseconds, which may have a fraction, as nanoseconds. */
export function nanoseconds(name: string, milliseconds: number): bigint {
  if (typeof milliseconds === 'number' && milliseconds >= 0 && milliseconds <= MAX_MILLISECONDS) {
    return BigInt(Math.round(milliseconds * 1e6));
  }
  throw new TypeError(`\`${name}\` must be a number of milliseconds from 0 to ${MAX_MILLISECONDS}`);
}

type Place = (string | number)[];

/** What the encoder takes: the value itself, or a copy of the parts that must differ. */
function prepared(value: unknown, place: Place): unknown {
  switch (typeof value) {
    case 'string':
      if (value.isWellFormed()) return value;
      throw refused('text with half of a surrogate pair cannot be stored', place, 'SW_INVALID_UTF8');
    case 'number':
      // The encoder writes integers beyond 32 bits as floats, unless they are bigints.
      return Number.isSafeInteger(value) && (value > 0xffffffff || value < -0x80000000)
        ? BigInt(value)
        : value;
    case 'bigint':
      if (value >= MIN_INTEGER && value <= MAX_INTEGER) return value;
      throw refused('an integer must be from -2^63 to 2^64 - 1', place, 'SW_NOT_REPRESENTABLE');
    case 'boolean':
      return value;
    case 'undefined':
      return null;
    case 'object':
      return value === null || value instanceof Uint8Array ? value : preparedObject(value, place);
    default:
      throw refused(`a ${typeof value} is no value`, place, 'SW_NOT_REPRESENTABLE');
  }
}

function preparedObject(value: object, place: Place): unknown {
  if (place.length >= MAX_DEPTH) {
    throw refused(`more than ${MAX_DEPTH} levels deep, or a cycle`, place.slice(0, 4), 'SW_LIMIT');
  }
  if (Array.isArray(value)) return preparedArray(value, place);
  if (value instanceof Extended) {
    const { type, data } = Extended.raw(value);
    return new ExtData(type, data);
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return prepared(value.toJSON(place.at(-1) ?? ''), [...place, 'toJSON()']);
  }
  const kind = Object.prototype.toString.call(value);
  if (kind !== '[object Object]') {
    const help = 'turn it into an object, an array or a Uint8Array first';
    throw refused(`a ${kind.slice(8, -1)} is no value; ${help}`, place, 'SW_NOT_REPRESENTABLE');
  }
  return preparedMembers(value as Record<string, unknown>, place);
}

function preparedArray(array: readonly unknown[], place: Place): unknown {
  let copy: unknown[] | undefined;
  for (let index = 0; index < array.length; index++) {
    place.push(index);
    const item = prepared(array[index], place);
    place.pop();
    if (item !== array[index]) (copy ??= array.slice())[index] = item;
  }
  return copy ?? array;
}

function preparedMembers(object: Record<string, unknown>, place: Place): unknown {
  const keys = Object.keys(object);
  let copy: Record<string, unknown> | undefined;
  for (const [index, key] of keys.entries()) {
    place.push(key);
    if (!key.isWellFormed()) throw refused('a key is not valid text', place, 'SW_INVALID_UTF8');
    const before = object[key];
    const after = prepared(before, place);
    place.pop();
    if (copy === undefined && after !== before) {
      copy = Object.create(null) as Record<string, unknown>;
      for (const earlier of keys.slice(0, index)) copy[earlier] = object[earlier];
    }
    if (copy !== undefined && before !== undefined) copy[key] = after;
  }
  return copy ?? object;
}

function refused(what: string, place: Place, code: StatusName): StatewrightError {
  const path = place.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return new StatewrightError(path === '' ? what : `${what} (at ${path})`, { code, path });
}

/** Undoes what the decoder does otherwise, in place. */
function restored(value: unknown): unknown {
  if (typeof value === 'bigint') return integer(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return value.slice();
  if (value instanceof Extended) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = restored(value[index]);
    return value;
  }
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object)) object[key] = restored(object[key]);
  return object;
}
