// Work items by name, for people more than for programs, and what becomes of signals.

import { native } from './addon';
import { listing, type Listing } from './listing';
import type { Session } from './session';
import { date, dateOrNull, known } from './state';
import { decode, encode, nanoseconds, text, type Value } from './values';
import { WorkItem } from './work';

/** Where a work item is between being offered and having ended. */
export type WorkState = 'offered' | 'leased' | 'backing_off';

/** Which work items to list. */
export interface WorkListOptions {
  topic?: string;
  /** Of this case. */
  case?: string;
  task?: string;
  /** Only what this worker has. */
  worker?: string;
  state?: WorkState;
  /** At most so many. */
  limit?: number;
}

/** Work of an open case that waits for a host or is at work. Dates are exact to the millisecond. */
export interface WorkInfo<T = Value> {
  case: string;
  /** The item's number in the case. */
  item: number;
  task: string;
  topic: string;
  state: WorkState;
  /** Since when it is in that state. */
  since: Date;
  /** How often it was taken. */
  attempt: number;
  /** What the task gives to work on; null before it is taken for the first time. */
  input: T | null;
  /** Who has it. */
  worker: string | null;
  /** What that lease is known by: {@link Engine.item}. */
  token: string | null;
  /** When the attempt times out. */
  deadline: Date | null;
  /** When it is offered again by itself. */
  until: Date | null;
}

/** Who takes an item, and for how long. */
export interface TakeOptions {
  worker: string;
  /** How long it stays theirs without a heartbeat, in milliseconds; without end by default, over restarts too. */
  leaseMs?: number;
}

/** What became of a signal. `reply` is what the task that took it answers, if its `reply` says something. */
export type Delivery<R = Value> =
  | { outcome: 'taken'; case: string; task: string; reply: R | null; code: null }
  | { outcome: 'kept'; case: null; task: null; reply: null; code: null }
  | {
      outcome: 'dropped';
      case: null;
      task: null;
      reply: null;
      code: 'nobody-waits' | 'unknown-signal' | 'suspended' | 'full';
    };

export const readDelivery = <R>(bytes: Uint8Array) => decode(bytes) as unknown as Delivery<R>;

function readWork<T>(bytes: Uint8Array): WorkInfo<T>[] {
  return (decode(bytes) as Record<string, unknown>[]).map(
    (raw) =>
      ({
        ...raw,
        since: date(raw.since),
        deadline: dateOrNull(raw.deadline),
        until: dateOrNull(raw.until),
      }) as WorkInfo<T>,
  );
}

export function work<T>(session: Session, options: WorkListOptions): Listing<WorkInfo<T>> {
  const { limit, ...given } = known(options, 'topic', 'case', 'task', 'worker', 'state', 'limit');
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  const filter = Object.fromEntries(named.map(([key, value]) => [key, text(key, value)]));
  const page = (after: WorkInfo<T> | undefined, limit: number) =>
    encode({ ...filter, limit, ...(after ? { after: { case: after.case, item: after.item } } : {}) });
  return listing<WorkInfo<T>, WorkInfo<T>>({
    now: (after, limit) => readWork<T>(session.now(native.workList, page(after, limit))),
    later: async (after, limit) => readWork<T>(await session.later(native.workListAsync, page(after, limit))),
    show: (item) => item,
    limit,
  });
}

/** 0 is a lease without end. */
export const leaseOrNone = (leaseMs: number | undefined) =>
  leaseMs === undefined ? 0n : nanoseconds('leaseMs', leaseMs);

export async function take<T>(
  session: Session,
  id: string,
  item: number,
  options: TakeOptions,
): Promise<WorkItem<T>> {
  const { worker, leaseMs } = known(options, 'worker', 'leaseMs');
  const [name, who] = [text('id', id), text('worker', worker)];
  const taken = await session.later(native.workTakeAsync, name, BigInt(item), who, leaseOrNone(leaseMs));
  return new WorkItem<T>(session, decode(taken) as Record<string, unknown>);
}
