// Work items: what cases hand out to be done here.

import { native } from './addon';
import { MAX_TIMER, operation, type WaitOptions } from './completions';
import { hasCode } from './errors';
import { concernsOne } from './gatherer';
import type { Session } from './session';
import { whenAborted } from './signals';
import { dateOrNull, known } from './state';
import { decode, encode, nanoseconds, text, type Storable, type Value } from './values';

/** Which work to take. */
export interface PollOptions extends WaitOptions {
  /** Items of these topics. */
  topics: readonly string[];
  /** At most so many, from 1 to 1000; 1 by default. */
  max?: number;
  /** How long an item stays ours without a heartbeat, in milliseconds; 30 000 by default. */
  leaseMs?: number;
  /** This worker's name, for people who ask who has an item; `node-<process id>` by default. */
  worker?: string;
}

const LEASE_MS = 30_000;
const CONCURRENCY = 10;

/** What {@link WorkItem.fail} takes: an error, what happened in words, or both with details. */
export type FailureReason = Error | string | { message: string; code?: string; retryable?: boolean };

/** Thrown by a handler, fails its item with a code, and says whether trying again makes sense. */
export class WorkFailure extends Error {
  readonly code: string | undefined;
  readonly retryable: boolean;

  constructor(message: string, details: { code?: string; retryable?: boolean; cause?: unknown } = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = details.code;
    this.retryable = details.retryable ?? true;
  }

  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'WorkFailure',
      configurable: true,
      writable: true,
    });
  }
}

/**
 * A piece of work, leased to this worker: complete it, fail it, or heartbeat before the lease runs out; after
 * that it is offered again. So an item may be delivered twice, with the same `idempotencyKey`; only the first
 * completion counts, later ones get `SW_STALE_ITEM`.
 */
export class WorkItem<T = Value> {
  readonly case: string;
  readonly item: number;
  readonly task: string;
  readonly topic: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The same for every attempt. */
  readonly idempotencyKey: string;
  readonly input: T;
  /** When this attempt times out. */
  readonly deadline: Date | null;
  /** Until when it is ours without a heartbeat. */
  readonly leaseUntil: Date | null;
  readonly token: string;
  readonly #session: Session;

  /** @internal */
  constructor(session: Session, raw: Record<string, unknown>) {
    this.#session = session;
    this.case = raw.case as string;
    this.item = raw.item as number;
    this.task = raw.task as string;
    this.topic = raw.topic as string;
    this.attempt = raw.attempt as number;
    this.idempotencyKey = raw.idempotency_key as string;
    this.input = raw.input as T;
    this.deadline = dateOrNull(raw.deadline);
    this.leaseUntil = dateOrNull(raw.lease_until);
    this.token = raw.token as string;
  }

  /** Keeps it for so long from now on. `SW_STALE_ITEM` if it is somebody else's already. */
  async heartbeat(leaseMs: number = LEASE_MS): Promise<void> {
    await this.#session.later(native.workHeartbeatAsync, this.token, nanoseconds('leaseMs', leaseMs));
  }

  /**
   * Hands in the result. Its effect and the case's next step are one commit.
   *
   * Results and failures that are given in the same turn of the event loop, or while others are on their way, wait for the
   * disk together, so that many at a time are as fast as {@link Engine.deliver}. Each promise tells of its own item.
   */
  async complete(result: Storable = null): Promise<void> {
    await handIn(this.#session, this.token, 'result', result);
  }

  /**
   * Says that it could not be done. The task's retry rules decide what happens next, unless `retryable` is
   * false. An error's `code` (if text) and `retryable` are passed on.
   */
  async fail(reason: FailureReason): Promise<void> {
    await handIn(this.#session, this.token, 'failure', failureOf(reason));
  }

  /**
   * Hands it to another worker, and gives it as they have it: this one gets `SW_STALE_ITEM` from now on. It stays theirs
   * for `leaseMs` without a heartbeat; without end by default. The attempt and its deadline go on.
   */
  async delegate(worker: string, options: { leaseMs?: number } = {}): Promise<WorkItem<T>> {
    const { leaseMs } = known(options, 'leaseMs');
    const lease = leaseMs === undefined ? 0n : nanoseconds('leaseMs', leaseMs);
    const handed = await this.#session.later(native.workDelegateAsync, this.token, text('worker', worker), lease);
    return new WorkItem<T>(this.#session, decode(handed) as Record<string, unknown>);
  }

  /** Gives it back: it is offered again at once, and no attempt has failed. */
  async giveBack(): Promise<void> {
    await this.#session.later(native.workGiveBackAsync, this.token);
  }
}

/** What became of a work item: a result, or why it could not be done. Without either the result is null. */
export type WorkOutcome = { item: { token: string } } & (
  { result?: Storable; failure?: never } | { failure: FailureReason; result?: never }
);

/** @internal */
export const encodeOutcomes = (outcomes: readonly WorkOutcome[]): Uint8Array =>
  encode(
    outcomes.map((outcome: { item: { token: string }; result?: Storable; failure?: FailureReason }) => {
      const { item, result, failure } = known(outcome, 'item', 'result', 'failure');
      return failure === undefined
        ? { token: item.token, result: result ?? null }
        : { token: item.token, failure: failureOf(failure) };
    }),
  );

/** The beginning of an outcome `{ token, [ending]: payload }`, and what comes before the payload. */
const HEAD = Buffer.from('\x82\xa5token', 'latin1');
const ENDINGS = {
  result: Buffer.from('\xa6result', 'latin1'),
  failure: Buffer.from('\xa7failure', 'latin1'),
};

/** Hands in what became of an item, with what else is handed in just then. */
function handIn(session: Session, token: string, ending: keyof typeof ENDINGS, value: unknown): Promise<void> {
  const payload = encode(value).slice();
  const call = ending === 'result' ? native.workCompleteAsync : native.workFailAsync;
  return session.deliveries.ask({
    group: '',
    parts: [HEAD, encode(token).slice(), ENDINGS[ending], payload],
    alone: () => session.later(call, token, payload),
  });
}

/** What an item that is known by its token alone has instead of the rest. */
export const onlyToken = (token: string) => ({
  token,
  case: '',
  item: 0,
  task: '',
  topic: '',
  attempt: 0,
  idempotency_key: '',
  input: null,
  deadline: null,
  lease_until: null,
});

function failureOf(reason: unknown): Record<string, Storable> {
  const { message, name, code, retryable } = Object(reason) as Partial<Record<string, unknown>>;
  const says = typeof reason === 'string' ? reason : message || name || 'failed without a reason';
  return {
    message: String(says).toWellFormed(),
    ...(typeof code === 'string' ? { code: code.toWellFormed() } : {}),
    ...(typeof retryable === 'boolean' ? { retryable } : {}),
  };
}

/** Takes work items, waiting for at least one. */
export async function poll<T>(session: Session, options: PollOptions): Promise<WorkItem<T>[]> {
  const { topics, max = 1, leaseMs = LEASE_MS, worker = `node-${process.pid}`, ...waiting } = options;
  known(options, 'topics', 'max', 'leaseMs', 'worker', 'signal', 'timeoutMs');
  const lease = nanoseconds('leaseMs', leaseMs);
  const names = topics.map((topic) => text('topics', topic));
  return operation(
    session,
    (engine, cq) => native.workPoll(engine, encode(names), text('worker', worker), max, lease, cq, 0n),
    (result) => (decode(result) as Record<string, unknown>[]).map((raw) => new WorkItem<T>(session, raw)),
    waiting,
  );
}

/**
 * Items one after the other, until the loop is left or the signal is aborted. Those that were taken and not given to the
 * loop are given back.
 */
export async function* items<T>(
  session: Session,
  options: PollOptions,
): AsyncGenerator<WorkItem<T>, void, undefined> {
  for (;;) {
    const taken = await poll<T>(session, options);
    try {
      for (let item = taken.shift(); item !== undefined; item = taken.shift()) yield item;
    } finally {
      // What is lost or cannot be given back is offered again when its lease ends.
      await Promise.allSettled(taken.map((item) => item.giveBack()));
    }
  }
}

/**
 * Does an item's work and returns its result; what it throws fails the item. `signal` is aborted when the item
 * is no longer ours, so that going on is of no use.
 */
export type Handler<T = Value> = (
  item: WorkItem<T>,
  context: { signal: AbortSignal },
) => Storable | void | PromiseLike<Storable | void>;

/** How a worker works. */
export interface WorkerOptions {
  /** Stops it: no more items are taken, and the promise is fulfilled when those at work are done. */
  signal?: AbortSignal;
  /** How many items are at work at the same time; 10 by default. */
  concurrency?: number;
  /**
   * How long items are leased, in milliseconds; 30 000 by default. Heartbeats are sent three times as often.
   */
  leaseMs?: number;
  /** This worker's name, for people who ask who has an item. */
  name?: string;
}

/** Serves topics until it is stopped or the engine is closed. */
export async function serve(
  session: Session,
  handlers: Readonly<Record<string, Handler<never>>>,
  options: WorkerOptions,
): Promise<void> {
  known(options, 'signal', 'concurrency', 'leaseMs', 'name');
  const { concurrency = CONCURRENCY, leaseMs = LEASE_MS, name } = options;
  const topics = Object.keys(handlers);
  if (topics.length === 0) throw new TypeError('`handlers` must have a handler for at least one topic');
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new TypeError('`concurrency` must be a whole number above 0');
  }
  const stop = new AbortController();
  const forget = options.signal && whenAborted(options.signal, () => stop.abort());
  if (options.signal?.aborted) stop.abort();
  let failure: { error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure ??= { error };
    stop.abort();
  };
  const { signal } = stop;
  const atWork = new Set<Promise<void>>();
  try {
    while (!signal.aborted) {
      if (atWork.size >= concurrency) {
        await Promise.race(atWork);
        continue;
      }
      const max = Math.min(concurrency - atWork.size, native.constants.SW_MAX_WORK_ITEMS);
      const worker = name === undefined ? {} : { worker: name };
      for (const item of await poll<never>(session, { topics, max, leaseMs, signal, ...worker })) {
        const done = work(item, handlers[item.topic], leaseMs)
          .catch(fail)
          .finally(() => atWork.delete(done));
        atWork.add(done);
      }
    }
  } catch (error) {
    if (!signal.aborted && !isOver(error)) fail(error);
  }
  await Promise.all(atWork);
  forget?.();
  if (failure) throw failure.error;
}

/** One item: its handler, with heartbeats meanwhile, and its end. */
async function work(
  item: WorkItem<never>,
  handler: Handler<never> | undefined,
  leaseMs: number,
): Promise<void> {
  const lost = new AbortController();
  const beat = () =>
    item.heartbeat(leaseMs).catch((error: unknown) => {
      if (isLost(error)) lost.abort(error);
    });
  const heart = setInterval(beat, Math.min(Math.max(leaseMs / 3, 1), MAX_TIMER));
  try {
    const outcome = await attempted(item, handler, lost.signal);
    clearInterval(heart);
    await outcome();
  } catch (error) {
    // Somebody else has it, or nobody can have it any more: the engine offers it again.
    if (!isLost(error)) throw error;
  } finally {
    clearInterval(heart);
  }
}

/** Runs the handler; gives what is left to do: completing or failing the item. */
async function attempted(
  item: WorkItem<never>,
  handler: Handler<never> | undefined,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  try {
    if (handler === undefined) throw new WorkFailure(`nobody serves the topic ${item.topic}`);
    const result = (await handler(item, { signal })) ?? null;
    encode(result); // what cannot be stored is the handler's failure, and trying again would not help
    return () =>
      item.complete(result).catch((error: unknown) => {
        const refused = concernsOne(error) || hasCode(error, 'SW_FRAME_TOO_LARGE');
        return refused ? item.fail(error as Error) : Promise.reject(error);
      });
  } catch (error) {
    return () => item.fail(error as Error);
  }
}

/** Whether an item is not ours any more; a heartbeat that fails otherwise (on a full disk, say) may be followed by a good one. */
function isLost(error: unknown): boolean {
  return hasCode(error, 'SW_STALE_ITEM') || isOver(error);
}

/** Whether the engine is closed, which ends its workers. */
function isOver(error: unknown): boolean {
  return hasCode(error, 'SW_CLOSED') || hasCode(error, 'SW_MISUSE');
}
