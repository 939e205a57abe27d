// Reads MessagePack that @msgpack/msgpack does not read, or not exactly: it refuses the key `__proto__`, and takes a
// U+FEFF away with which a long text begins. Slower than that, and right about everything the library writes.

/** What a reader makes of integers of 64 bits and of extensions. */
export interface Making {
  integer(value: bigint): unknown;
  extension(type: number, data: Uint8Array): unknown;
}

/** The value that these bytes are; it shares no memory with them. */
export function read(bytes: Uint8Array, making: Making): unknown {
  return new Reader(bytes, making).value();
}

class Reader {
  readonly #bytes: Buffer;
  readonly #making: Making;
  #at = 0;

  constructor(bytes: Uint8Array, making: Making) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#making = making;
  }

  value(): unknown {
    const tag = this.#unsigned(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#object(tag - 0x80);
    if (tag < 0xa0) return this.#array(tag - 0x90);
    if (tag < 0xc0) return this.#text(tag - 0xa0);
    if (tag >= 0xe0) return tag - 0x100;
    // Families of formats differ in how many bytes a number or a length has: 1, 2, 4 or 8.
    const size = (first: number) => 2 ** (tag - first);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return tag === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#data(this.#unsigned(size(0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#unsigned(size(0xc7)));
      case 0xca:
        return this.#bytes.readFloatBE(this.#skip(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(size(0xcc));
      case 0xcf:
        return this.#making.integer(this.#bytes.readBigUInt64BE(this.#skip(8)));
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return this.#bytes.readIntBE(this.#skip(size(0xd0)), size(0xd0));
      case 0xd3:
        return this.#making.integer(this.#bytes.readBigInt64BE(this.#skip(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(size(0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(size(0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(size(0xdb)));
      case 0xde:
      case 0xdf:
        return this.#object(this.#unsigned(size(0xdd)));
      default:
        throw new RangeError(`0x${tag.toString(16)} begins no value of MessagePack`);
    }
  }

  /** Where the next bytes are, and past them. */
  #skip(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }

  #unsigned(size: number): number {
    return this.#bytes.readUIntBE(this.#skip(size), size);
  }

  #text(length: number): string {
    const at = this.#skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  #data(length: number): Uint8Array {
    const at = this.#skip(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  #extension(length: number): unknown {
    const type = this.#bytes.readInt8(this.#skip(1));
    return this.#making.extension(type, this.#data(length));
  }

  #array(length: number): unknown[] {
    return Array.from({ length }, () => this.value());
  }

  /** Every key is an own member, as `JSON.parse` makes it, `__proto__` too. */
  #object(length: number): unknown {
    return Object.fromEntries(Array.from({ length }, () => [this.#text(this.#keyLength()), this.value()]));
  }

  #keyLength(): number {
    const tag = this.#unsigned(1);
    if (tag >= 0xa0 && tag < 0xc0) return tag - 0xa0;
    if (tag >= 0xd9 && tag <= 0xdb) return this.#unsigned(2 ** (tag - 0xd9));
    throw new RangeError('a key of an object is no text');
  }
}
