// Operations that end later: waiting for a case, polling for work. They end on the completion queue of this
// thread, which is opened when it is first needed. A pending operation keeps the event loop alive, an idle
// queue does not.

import { native, type Completion, type Queue } from './addon';
import { StatewrightError, translated } from './errors';
import type { Cq, Engine as Handle } from './native';
import type { Session } from './session';
import { whenAborted } from './signals';

/** How an operation may be ended early. */
export interface WaitOptions {
  /** Ends the operation; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * How long to wait at most, in milliseconds; without it, without limit. Then it rejects with `SW_TIMEOUT`.
   */
  timeoutMs?: number | undefined;
}

interface Pending {
  /** Keeps the engine from being garbage while it is waited on. */
  session: Session;
  settle(completion: Completion): void;
}

const pending = new Map<bigint, Pending>();
let queue: Queue | undefined;

function deliver(completions: Completion[]): void {
  for (const completion of completions) {
    const { op } = completion;
    const entry = pending.get(op);
    pending.delete(op);
    entry?.settle(completion);
  }
  if (pending.size === 0) queue?.release();
}

/** Timers take no longer ones, and fire at once instead. */
export const MAX_TIMER = 2 ** 31 - 1;

/** Starts an operation with `submit`; its result is read by `read`. */
export async function operation<T>(
  session: Session,
  submit: (engine: Handle, cq: Cq) => bigint,
  read: (result: Uint8Array) => T,
  { signal, timeoutMs }: WaitOptions,
): Promise<T> {
  signal?.throwIfAborted();
  if (
    timeoutMs !== undefined &&
    !(Number(timeoutMs) === timeoutMs && timeoutMs >= 0 && timeoutMs <= MAX_TIMER)
  ) {
    throw new TypeError(`\`timeoutMs\` must be a number from 0 to ${MAX_TIMER}`);
  }
  const { cq, hold } = (queue ??= native.queueOpen(deliver));
  const op = session.now((engine) => submit(engine, cq));
  if (pending.size === 0) hold();
  let unwanted: { because: unknown } | undefined;
  const cancel = (because: unknown) => {
    unwanted ??= { because };
    native.opCancel(cq, op);
  };
  const forget = signal && whenAborted(signal, () => cancel(signal.reason));
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => cancel(timeout(timeoutMs)), timeoutMs);
  try {
    const { result, error } = await new Promise<Completion>((settle) => pending.set(op, { session, settle }));
    // What ended just before it was cancelled counts: its result may be work that is leased to us.
    if (result !== undefined) return read(result);
    throw error?.code === 'SW_CANCELLED' && unwanted ? unwanted.because : translated(error);
  } finally {
    clearTimeout(timer);
    forget?.();
  }
}

function timeout(milliseconds: number): StatewrightError {
  return new StatewrightError(`nothing happened within ${milliseconds} ms`, {
    code: 'SW_TIMEOUT',
    retryable: true,
  });
}
