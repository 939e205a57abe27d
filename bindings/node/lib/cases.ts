// What the library tells about flows and cases, with times as dates.

import { date, dateOrNull } from './state';
import { decode, type Value } from './values';

/** A mistake in a flow's text. */
export interface Problem {
  line: number;
  column: number;
  severity: 'error' | 'warning';
  /** Names the kind of mistake. */
  code: string;
  message: string;
  help: string;
}

/** A flow that was deployed. */
export interface Deployed {
  name: string;
  version: number;
  /** Names the exact content. */
  key: string;
}

export type CaseStatus =
  | 'running'
  | 'suspended'
  | 'compensating'
  | 'completed'
  | 'failed'
  | 'deadlocked'
  | 'cancelled'
  | 'terminated'
  | 'compensated'
  | 'compensation_failed';

/** Work of a case in flight. */
export interface ItemInfo {
  item: number;
  task: string;
  /** `process`, `host`, `wait`, `signal` or `flow`. */
  kind: string;
  /** `offered`, `leased`, `backing_off`, `waiting` (for time), `listening` (for a signal) or `running` (a called case). */
  state: string;
  attempt: number;
}

/** The state of a case. Dates are exact to the millisecond. */
export interface CaseState<T = Value> {
  id: string;
  /** The case that called it. */
  parent: string | null;
  flow: string;
  version: number;
  status: CaseStatus;
  created: Date;
  updated: Date;
  /** The data so far: `{ input, … }`. */
  data: { [key: string]: Value };
  /** Tokens by place. */
  marking: Record<string, number>;
  /** The work in flight. */
  items: ItemInfo[];
  /** What it gave; null unless it is completed. */
  result: T;
  /** Why it failed, was cancelled or terminated; null unless it was. */
  error: Value;
}

/** Something that a case waits for. */
export interface Waiting {
  task: string | null;
  item: number | null;
  what: string;
  since: Date | null;
  /** What happens next by itself, and when. */
  until: { at: Date; then: string } | null;
  /** What would move it on. */
  unblocks: string;
}

/** Something that happened to a case. */
export interface HistoryEvent {
  case: string;
  /** Its number: 1, 2, … within the case. */
  seq: number;
  version: number;
  at: Date;
  event: string;
  task: string | null;
  item: number | null;
  attempt: number | null;
  detail: Value;
}

/** Figures about an engine. */
export interface Stats {
  /** The version of the last commit. */
  version: number;
  /** The version that would survive a power cut now. */
  durableVersion: number;
  /** The durability in force. */
  durability: 'memory' | 'buffered' | 'strict';
  entries: number;
  /** How many transactions are open. */
  transactions: number;
  /** The bounds in force: operations in a transaction, writes remembered for conflicts, attempts of a transaction. */
  limits: { maxOps: number; maxRecent: number; maxAttempts: number };
  /** The settings in force. */
  settings: {
    firstSegmentBytes: number;
    segmentBytes: number;
    maxCommitBytes: number;
    map: boolean;
    pad: boolean;
    reserveBytes: number;
    network: boolean;
    checkpointEveryBytes: number;
    cacheBytes: number;
  };
  /** Since the engine was opened. */
  log: {
    commits: number;
    bytes: number;
    bytesPerCommit: number;
    syncs: number;
    /** Whether commits are written through a mapping. */
    mapped: boolean;
    /** Groups of commits that shared a sync, and how many commits they had. */
    batches: number;
    batchMin: number;
    batchMean: number;
    batchMax: number;
    /** How many batches had 1 commit, 2 to 3, 4 to 7, and so on. */
    batchSizes: number[];
    segmentsStarted: number;
    /**
     * What failed when the log was written or synced; then it takes no more commits until the engine is opened again.
     * Null if nothing did.
     */
    failed: string | null;
  };
  /** What opening it found. */
  recovery: {
    commits: number;
    bytes: number;
    cutBytes: number;
    rewritten: number;
    segments: number;
    clean: boolean;
  };
  /** The newest checkpoint; its version is 0 if there is none. */
  checkpoint: {
    version: number;
    files: number;
    bytes: number;
    used: number;
    /** Those that opening passed over because they are damaged, and why. */
    skipped: string[];
    /** Why the last try to make one failed; null if that made one, or none was tried. */
    failed: string | null;
  };
}

/** Which cases to list. */
export interface CaseListOptions {
  /** Only cases of this flow. */
  flow?: string;
  status?: CaseStatus;
  /** Only ids that come after this one. */
  after?: string;
  /** At most so many. */
  limit?: number;
}

type Raw = Record<string, unknown>;

const list = (bytes: Uint8Array) => decode(bytes) as unknown as Raw[];

const caseOf = (raw: Raw) => ({ ...raw, created: date(raw.created), updated: date(raw.updated) });

export function readCase<T>(bytes: Uint8Array): CaseState<T> {
  return caseOf(decode(bytes) as Raw) as unknown as CaseState<T>;
}

export function readCases<T>(bytes: Uint8Array): CaseState<T>[] {
  return list(bytes).map(caseOf) as unknown as CaseState<T>[];
}

export function readWaiting(bytes: Uint8Array): Waiting[] {
  return list(bytes).map((raw) => {
    const until = raw.until as Raw | null;
    const next = until && { ...until, at: date(until.at) };
    return { ...raw, since: dateOrNull(raw.since), until: next } as unknown as Waiting;
  });
}

export function readHistory(bytes: Uint8Array): HistoryEvent[] {
  return list(bytes).map((raw) => ({ ...raw, at: date(raw.at) }) as unknown as HistoryEvent);
}

export function readStats(bytes: Uint8Array): Stats {
  return camelCased(decode(bytes)) as Stats;
}

export function readProblems(bytes: Uint8Array): Problem[] {
  return decode(bytes) as unknown as Problem[];
}

export function readDeployed(bytes: Uint8Array): Deployed {
  return decode(bytes) as unknown as Deployed;
}

/** For objects whose keys are the library's own words, not a user's. */
export function camelCased(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(camelCased);
  const camel = (key: string) => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [camel(key), camelCased(member)]));
}
