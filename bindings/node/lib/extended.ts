// Values beyond JSON: decimals, dates and times, files.

import { native } from './addon';
import { attempt } from './errors';
import { choice } from './held';
import { decode, encode } from './values';

/** The kinds of values that JSON does not have. */
export type ExtendedKind = 'decimal' | 'date' | 'time' | 'datetime' | 'duration' | 'file';

const { SW_KIND_DECIMAL, SW_KIND_DATE, SW_KIND_TIME, SW_KIND_DATETIME, SW_KIND_DURATION } = native.constants;

const BY_NAME: Record<Exclude<ExtendedKind, 'file'>, number> = {
  decimal: SW_KIND_DECIMAL,
  date: SW_KIND_DATE,
  time: SW_KIND_TIME,
  datetime: SW_KIND_DATETIME,
  duration: SW_KIND_DURATION,
};

/** An extension of MessagePack. */
interface Extension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** The extension types, and what they are. */
const BY_TYPE: Readonly<Record<number, ExtendedKind>> = {
  0x44: 'decimal',
  0x64: 'date',
  0x74: 'time',
  0x7a: 'datetime',
  [-1]: 'datetime',
  0x70: 'duration',
  0x66: 'file',
};

/**
 * A decimal, date, time, datetime, duration or file: what JavaScript has no value for. It goes in and comes out
 * exactly as it is: `12.5` and `12.50` are two.
 *
 *     document.set('.price', Extended.of('decimal', '12.50'));
 *     document.get('.price'); // Extended { kind: 'decimal', text: '12.50' }
 */
export class Extended {
  /** Which kind it is. */
  readonly kind: ExtendedKind;
  /** The text it prints as, such as `12.50` or `2024-05-01T12:30:00+02:00`; the JSON text of a file. */
  readonly text: string;
  readonly #raw: Extension;

  /** @internal */
  constructor(kind: ExtendedKind, raw: Extension) {
    this.#raw = raw;
    this.kind = kind;
    const json = attempt(() => native.msgpackToJson(encode(this), 0));
    this.text = json.startsWith('"') ? (JSON.parse(json) as string) : json;
  }

  /**
   * Reads text as a value of a kind: `Extended.of('decimal', '12.50')`, `Extended.of('duration', '1h 30m')`. Throws
   * `SW_INVALID_TEMPORAL` if it is none.
   */
  static of(kind: Exclude<ExtendedKind, 'file'>, text: string): Extended {
    const number = choice('kind', kind, BY_NAME);
    return attempt(() => {
      const made = native.valueFromMsgpack(new Uint8Array([0xc0]), undefined);
      try {
        native.valueSetKind(made, '', number, text);
        return decode(native.valueToMsgpack(made)) as Extended;
      } finally {
        native.valueFree(made);
      }
    });
  }

  /** The same as `text`. */
  toString(): string {
    return this.text;
  }

  /** For `JSON.stringify`: the text, and what a file's text says. */
  toJSON(): unknown {
    return this.kind === 'file' ? (JSON.parse(this.text) as unknown) : this.text;
  }

  /** @internal What is encoded in its place. */
  static raw(extended: Extended): Extension {
    return extended.#raw;
  }
}

/** What has this extension type. */
export function extendedOf(type: number, data: Uint8Array): Extended {
  const kind = BY_TYPE[type];
  if (kind === undefined) throw new TypeError(`a value of the extension type ${type} is not known`);
  return new Extended(kind, { type, data });
}
