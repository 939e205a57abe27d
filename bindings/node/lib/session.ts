// An open engine, as everything that was made from it shares it: its handle, and how calls are made on it.

import { native } from './addon';
import { attempt, StatewrightError, translated } from './errors';
import { Gatherer } from './gatherer';
import type { Engine as Handle } from './native';
import { readStarted, readVerdicts } from './verdicts';
import { decode } from './values';

type Now<A extends unknown[], R> = (engine: Handle, ...rest: A) => R;
type Later<A extends unknown[], R> = (engine: Handle, ...rest: A) => Promise<R>;

/** An engine that nobody can reach any more and that was not closed. */
const forgotten = new FinalizationRegistry<Handle>((handle) => {
  process.emitWarning('an Engine was not closed before it was garbage', { code: 'SW_NOT_CLOSED' });
  native.closeAsync(handle).catch(() => {});
});

export class Session {
  #handle: Handle | undefined;
  readonly #owned: boolean;
  #closing: Promise<void> | undefined;
  /** What became of work, on its way to the library. */
  readonly deliveries = new Gatherer<void>(async (_, outcomes) =>
    readVerdicts(await this.later(native.workDeliverAsync, outcomes)),
  );
  /** Cases that are to be started, by the name of their flow. */
  readonly starts = new Gatherer<string>(async (flow, inputs) =>
    readStarted(await this.later(native.caseStartAllAsync, flow, inputs)),
  );
  /** Commits wait for no disk, so that they are made at once. */
  readonly #inMemory: boolean;

  constructor(handle: Handle, owned: boolean) {
    const stats = decode(attempt(() => native.stats(handle))) as { durability: string };
    this.#handle = handle;
    this.#owned = owned;
    this.#inMemory = stats.durability === 'memory';
    if (owned) forgotten.register(this, handle, this);
  }

  get handle(): Handle {
    if (this.#handle === undefined) throw closed();
    return this.#handle;
  }

  get open(): boolean {
    return this.#handle !== undefined;
  }

  /** A call that is quick: it reads memory, or only starts something. */
  now<A extends unknown[], R>(call: Now<A, R>, ...rest: A): R {
    return attempt(() => call(this.handle, ...rest));
  }

  /** A call that may take long, on a thread of the pool. */
  async later<A extends unknown[], R>(call: Later<A, R>, ...rest: A): Promise<R> {
    try {
      return await call(this.handle, ...rest);
    } catch (error) {
      throw translated(error);
    }
  }

  /** A commit: on the pool if it waits for the disk. */
  async commit<A extends unknown[], R>(now: Now<A, R>, later: Later<A, R>, ...rest: A): Promise<R> {
    return this.commits(
      () => now(this.handle, ...rest),
      () => later(this.handle, ...rest),
    );
  }

  async commits<R>(now: () => R, later: () => Promise<R>): Promise<R> {
    try {
      return this.#inMemory ? now() : await later();
    } catch (error) {
      throw translated(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const handle = this.#give();
    if (handle === undefined) return;
    await native.closeAsync(handle).catch((error: unknown) => Promise.reject(translated(error)));
  }

  closeNow(): void {
    const handle = this.#give();
    if (handle !== undefined) attempt(() => native.close(handle));
  }

  /** The handle, if it is to be closed; this session is over either way. */
  #give(): Handle | undefined {
    this.starts.flush();
    this.deliveries.flush();
    const handle = this.#handle;
    this.#handle = undefined;
    forgotten.unregister(this);
    return this.#owned ? handle : undefined;
  }
}

function closed(): StatewrightError {
  return new StatewrightError('the engine is closed', { code: 'SW_CLOSED', help: 'open it again' });
}
