// Flows that begin by themselves.

import { camelCased } from './cases';
import { date, dateOrNull } from './state';
import { decode } from './values';

/** A flow that begins by itself while an engine drives the store. Dates are exact to the millisecond. */
export interface Schedule {
  flow: string;
  /** The cron expressions and their time zone, or the period. */
  when: string;
  /** What happens when a case is due and the last one has not ended. */
  overlap: 'skip' | 'allow' | 'queue' | 'cancel';
  /** When the next case is to begin; null while the schedule is paused. */
  next: Date | null;
  /** The last due time that was dealt with. */
  last: Date | null;
  paused: boolean;
  /** The case that began last. */
  case: string | null;
  /** The due time of the start that waits for that case to end. */
  queued: Date | null;
  /** How many cases it has started. */
  started: number;
  /** How many it left out because a case had not ended, or what a new one comes to cannot be stored. */
  skipped: number;
  /** How many it left out because nobody drove the store when they were due. */
  missed: number;
}

export const readSchedules = (bytes: Uint8Array): Schedule[] =>
  (camelCased(decode(bytes)) as Record<string, unknown>[]).map(
    (raw) =>
      ({
        ...raw,
        next: dateOrNull(raw.next),
        last: dateOrNull(raw.last),
        queued: dateOrNull(raw.queued),
      }) as unknown as Schedule,
  );

export const readTimes = (bytes: Uint8Array): Date[] => (decode(bytes) as unknown[]).map(date);
