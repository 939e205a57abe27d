// Calls that are gathered: what is asked for in one turn of the event loop, and while a call is under way, goes to the
// library in one call. Each is a commit of its own there, but they wait for the disk together.

import { StatewrightError } from './errors';

/** Something that can go to the library with others, or alone. */
export interface Asked<R> {
  /** Only those of the same group go together. */
  group: string;
  /** It as one element of the list of them: MessagePack, in parts. */
  parts: Uint8Array[];
  alone(): Promise<R>;
}

/** Calls the library with a list of those of a group, in MessagePack; gives for each what came of it. */
type Together<R> = (group: string, list: Uint8Array) => Promise<(R | StatewrightError)[]>;

interface Waiting<R> extends Asked<R> {
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** So much goes into one call at most, whatever waits: the library takes 10 000, and 64 MiB. */
const MAX_ASKED = 1000;
const MAX_BYTES = 8 << 20;

/** What is on its way to the library, of one kind and one session. */
export class Gatherer<R> {
  readonly #together: Together<R>;
  #waiting: Waiting<R>[] = [];
  #underWay = false;

  constructor(together: Together<R>) {
    this.#together = together;
  }

  /** Asks for one, with the others of this turn. Rejects with what concerns this one. */
  ask(asked: Asked<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...asked, resolve, reject });
      if (this.#underWay) return;
      this.#underWay = true;
      // Once all promises are settled that can be by now.
      process.nextTick(() => void this.#run());
    });
  }

  /** Begins with all that waits, at once: the engine is about to be closed. */
  flush(): void {
    while (this.#waiting.length > 0) void this.#send(this.#take());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#send(this.#take());
    this.#underWay = false;
  }

  /** What goes into the next call: all of the group that has waited longest, as far as they fit. */
  #take(): Waiting<R>[] {
    const group = this.#waiting[0]?.group;
    const [batch, rest]: [Waiting<R>[], Waiting<R>[]] = [[], []];
    let bytes = 0;
    for (const one of this.#waiting) {
      const size = one.parts.reduce((sum, part) => sum + part.length, 0);
      const fits = batch.length === 0 || (batch.length < MAX_ASKED && bytes + size <= MAX_BYTES);
      if (one.group !== group || !fits) {
        rest.push(one);
        continue;
      }
      batch.push(one);
      bytes += size;
    }
    this.#waiting = rest;
    return batch;
  }

  async #send(batch: Waiting<R>[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    if (batch.length === 1) return alone(first);
    try {
      const results = await this.#together(first.group, list(batch));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index] as R | StatewrightError;
        if (result instanceof StatewrightError) reject(result);
        else resolve(result);
      }
    } catch (error) {
      // What one of them says cannot be read: nothing was done, and the others are not to suffer for it.
      if (concernsOne(error)) for (const one of batch) await alone(one);
      else for (const { reject } of batch) reject(error);
    }
  }
}

const alone = <R>(one: Waiting<R>): Promise<void> => one.alone().then(one.resolve, one.reject);

/** An array of MessagePack. */
function list(batch: Asked<unknown>[]): Uint8Array {
  const count = Uint8Array.of(0xdc, batch.length >> 8, batch.length & 0xff);
  return Buffer.concat([count, ...batch.flatMap(({ parts }) => parts)]);
}

/** Whether it is about what was given, not about the engine: a status of the arguments or of values. */
export function concernsOne(error: unknown): boolean {
  if (!(error instanceof StatewrightError)) return false;
  const { status } = error;
  return (status > 100 && status <= 104) || (status >= 200 && status < 300);
}
