// Handing in what became of work: what is given in one turn of the event loop, and while a delivery is under way, goes
// to the library in one call. Each is a commit of its own there, but they wait for the disk together.

import { native } from './addon';
import { refusal, StatewrightError } from './errors';
import type { Session } from './session';
import { decode, encode } from './values';

/** What became of an item: its result, or its failure, as MessagePack. */
export type Ending = 'result' | 'failure';

interface Outcome {
  token: string;
  ending: Ending;
  payload: Uint8Array;
  resolve(): void;
  reject(error: unknown): void;
}

/** So much goes into one call at most, whatever waits: the library takes 10 000 outcomes, and 64 MiB. */
const MAX_OUTCOMES = 1000;
const MAX_BYTES = 8 << 20;

/** The beginning of an outcome `{ token, [ending]: payload }`, and what comes before the payload. */
const HEAD = Buffer.from('\x82\xa5token', 'latin1');
const ENDINGS = {
  result: Buffer.from('\xa6result', 'latin1'),
  failure: Buffer.from('\xa7failure', 'latin1'),
};

/** The outcomes of one session's work that are on their way to the library. */
export class Deliveries {
  readonly #session: Session;
  #waiting: Outcome[] = [];
  #underWay = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Hands in one outcome, with the others of this turn. Rejects with what concerns this one. */
  give(token: string, ending: Ending, value: unknown): Promise<void> {
    const payload = encode(value).slice();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ token, ending, payload, resolve, reject });
      if (this.#underWay) return;
      this.#underWay = true;
      // Once all promises are settled that can be by now.
      process.nextTick(() => void this.#run());
    });
  }

  /** Begins with all that waits, at once: the engine is about to be closed. */
  flush(): void {
    while (this.#waiting.length > 0) void this.#deliver(this.#take());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#deliver(this.#take());
    this.#underWay = false;
  }

  /** What goes into the next call. */
  #take(): Outcome[] {
    let bytes = 0;
    const first = this.#waiting.findIndex((one, index) => {
      bytes += one.payload.length + one.token.length;
      return index === MAX_OUTCOMES || (index > 0 && bytes > MAX_BYTES);
    });
    return this.#waiting.splice(0, first === -1 ? this.#waiting.length : first);
  }

  async #deliver(batch: Outcome[]): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only) return this.#alone(only);
    try {
      const verdicts = readVerdicts(await this.#session.later(native.workDeliverAsync, together(batch)));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const why = verdicts[index];
        if (why === undefined) resolve();
        else reject(why);
      }
    } catch (error) {
      // What one of them says cannot be read: nothing was done, and the others are not to suffer for it.
      if (concernsOne(error)) for (const one of batch) await this.#alone(one);
      else for (const { reject } of batch) reject(error);
    }
  }

  async #alone({ token, ending, payload, resolve, reject }: Outcome): Promise<void> {
    const call = ending === 'result' ? native.workCompleteAsync : native.workFailAsync;
    await this.#session.later(call, token, payload).then(resolve, reject);
  }
}

/** The outcomes as `sw_work_deliver` takes them. */
function together(batch: Outcome[]): Uint8Array {
  const count = Uint8Array.of(0xdc, batch.length >> 8, batch.length & 0xff);
  const parts = batch.flatMap(({ token, ending, payload }) => [
    HEAD,
    encode(token).slice(),
    ENDINGS[ending],
    payload,
  ]);
  return Buffer.concat([count, ...parts]);
}

/** Whether it is about what was given, not about the engine: a status of the arguments or of values. */
function concernsOne(error: unknown): boolean {
  if (!(error instanceof StatewrightError)) return false;
  const { status } = error;
  return (status > 100 && status <= 104) || (status >= 200 && status < 300);
}

/** For each of several outcomes nothing, or why it was refused. */
export const readVerdicts = (bytes: Uint8Array): (StatewrightError | undefined)[] =>
  (decode(bytes) as ({ error: Record<string, unknown> } | null)[]).map((told) =>
    told === null ? undefined : refusal(told.error),
  );
