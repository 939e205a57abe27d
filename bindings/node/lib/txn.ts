// Transactions.

import { setTimeout as sleep } from 'node:timers/promises';

import { native } from './addon';
import { attempt, hasCode, StatewrightError } from './errors';
import { choice } from './held';
import type { Txn as Handle } from './native';
import type { Session } from './session';
import { TxnCaller } from './caller';
import type { Call } from './engine';
import type { Json } from './json';
import type { Kv } from './kv';
import type { Listing } from './listing';
import type { Cells, Events, Runs, StreamInfo, Traces } from './records';
import { known, type PageOptions } from './state';
import { Space, Spaces } from './store';
import { decode, encode, integer, type Value } from './values';

/** What must be unchanged when a transaction commits. */
export interface TxnOptions {
  /**
   * `serializable`, the default: what it read and what it writes, so that the result is that of some serial
   * order; `snapshot`: only what it writes; `weak`: as `snapshot`, and a read of what was changed since it began
   * throws `SW_CONFLICT` at once.
   */
  isolation?: 'serializable' | 'snapshot' | 'weak';
}

/** How often a transaction is run again. */
export interface TransactOptions extends TxnOptions {
  /** How often it is run at most; 20 by default. */
  attempts?: number;
  /** Ends the trying between two runs. */
  signal?: AbortSignal;
}

/** A transaction that nobody can reach any more and that was not ended. */
const forgotten = new FinalizationRegistry<Handle>((handle) => {
  attempt(() => native.txnRollback(handle));
});

/** A part of the store, as a transaction sees it: writes are done at once. */
export type TxnSpace = Space<'txn'>;

/** A point in a transaction to which it can go back. They nest: going back to one ends all that were made after it. */
export class Savepoint {
  readonly #rollback: () => void;
  readonly #release: () => void;

  /** @internal */
  constructor(rollback: () => void, release: () => void) {
    this.#rollback = rollback;
    this.#release = release;
  }

  /**
   * Undoes what was written since then; the savepoint stays. What was read still counts when the commit is validated.
   * `SW_UNKNOWN_SAVEPOINT` if it was released, or undone by an earlier one.
   */
  rollback(): void {
    this.#rollback();
  }

  /** Forgets it and all after it; what was written stays. */
  release(): void {
    this.#release();
  }
}

/**
 * A transaction: it reads the state as it was when it began, plus its own writes, which nobody else sees before
 * it commits. Reading and writing are in memory and return at once. End it with `commit` or `rollback`; leaving
 * a `using` block without a commit rolls it back.
 */
export class Txn {
  #handle: Handle | undefined;
  readonly #session: Session;
  readonly #space: TxnSpace;
  readonly #caller = (name: string) => new TxnCaller(() => this.#open(), name);

  /** @internal */
  constructor(session: Session, options: TxnOptions) {
    const { SW_ISOLATION_SERIALIZABLE, SW_ISOLATION_SNAPSHOT, SW_ISOLATION_WEAK } = native.constants;
    const isolation = choice('isolation', known(options, 'isolation').isolation ?? 'serializable', {
      serializable: SW_ISOLATION_SERIALIZABLE,
      snapshot: SW_ISOLATION_SNAPSHOT,
      weak: SW_ISOLATION_WEAK,
    });
    this.#session = session;
    this.#handle = session.now(native.txnBegin, isolation);
    forgotten.register(this, this.#handle, this);
    this.#space = this.space('');
  }

  /** The keys of the space `default`. */
  get kv(): Kv<'txn'> {
    return this.#space.kv;
  }

  /** The JSON documents of the space `default`. */
  get json(): Json<'txn'> {
    return this.#space.json;
  }

  /** The cells of the space `default`. */
  get cells(): Cells<'txn'> {
    return this.#space.cells;
  }

  /** The traces of the space `default`. */
  get traces(): Traces<'txn'> {
    return this.#space.traces;
  }

  /** The runs of the space `default`. */
  get runs(): Runs<'txn'> {
    return this.#space.runs;
  }

  /** A stream of events of the space `default`. */
  events(name: string): Events<'txn'> {
    return this.#space.events(name);
  }

  /** The streams of the space `default`. */
  streams(options: PageOptions = {}): Listing<StreamInfo> {
    return this.#space.streams(options);
  }

  /** A part of the store with state of its own, such as `tenant/app`; empty is `default`. */
  space(name: string): TxnSpace {
    return new Space(this.#caller(name));
  }

  /** All spaces. */
  get spaces(): Spaces<'txn'> {
    return new Spaces(this.#caller(''));
  }

  /** Marks this point of the transaction. */
  savepoint(): Savepoint {
    const mark = attempt(() => native.txnSavepoint(this.#open()));
    return new Savepoint(
      () => attempt(() => native.txnRollbackTo(this.#open(), mark)),
      () => attempt(() => native.txnRelease(this.#open(), mark)),
    );
  }

  /** Runs one operation; see {@link Engine.call}. If it fails, the transaction is as it was before. */
  call(operation: Call): Value {
    return decode(attempt(() => native.txnCall(this.#open(), encode(operation)))) as Value;
  }

  /** False once it was committed or rolled back. */
  get active(): boolean {
    return this.#handle !== undefined;
  }

  /**
   * Commits: all of its writes happen, or none. Gives the version that this made (if it wrote nothing, the one
   * it read). Whatever the outcome, the transaction is over. `SW_CONFLICT` and `SW_SNAPSHOT_TOO_OLD` are
   * retryable: nothing was written, and the whole transaction may be run again, which {@link Engine.transact}
   * does.
   */
  async commit(): Promise<number | bigint> {
    const handle = this.#end();
    return integer(
      await this.#session.commits(
        () => native.txnCommit(handle),
        () => native.txnCommitAsync(handle),
      ),
    );
  }

  /** Ends it without writing anything; does nothing if it has ended. */
  rollback(): void {
    if (this.#handle !== undefined) attempt(() => native.txnRollback(this.#end()));
  }

  [Symbol.dispose](): void {
    this.rollback();
  }

  #open(): Handle {
    if (this.#handle !== undefined) return this.#handle;
    throw new StatewrightError('the transaction was committed or rolled back already', {
      code: 'SW_TXN_CLOSED',
    });
  }

  #end(): Handle {
    const handle = this.#open();
    this.#handle = undefined;
    forgotten.unregister(this);
    return handle;
  }
}

const ATTEMPTS = 20;
const LONGEST_PAUSE_MS = 100;

/** Runs `work` in transactions until one commits. */
export async function transact<T>(
  session: Session,
  work: (txn: Txn) => T | PromiseLike<T>,
  options: TransactOptions,
): Promise<T> {
  const { attempts = ATTEMPTS, signal, ...how } = known(options, 'attempts', 'signal', 'isolation');
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new TypeError('`attempts` must be a whole number above 0');
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const txn = new Txn(session, how);
    try {
      const result = await work(txn);
      if (txn.active) await txn.commit();
      return result;
    } catch (error) {
      txn.rollback();
      const conflict = hasCode(error, 'SW_CONFLICT') || hasCode(error, 'SW_SNAPSHOT_TOO_OLD');
      if (!conflict || attempt >= attempts) throw error;
    }
    // At once the first time; then longer and longer, and not in step with whom it collided with.
    const longest = Math.min(2 ** (attempt - 2), LONGEST_PAUSE_MS);
    if (attempt > 1) await sleep(Math.random() * longest);
  }
}
