// Events, cells, traces and runs.

import type { Caller, Done, Late, ListOptions, Mode } from './caller';
import type { Listing } from './listing';
import {
  as,
  date,
  given,
  known,
  LISTED,
  nothing,
  orNone,
  PAGED,
  pasts,
  span,
  SPANNED,
  stored,
  type PageOptions,
  type Past,
  type SpanOptions,
  type Stored,
  type Version,
} from './state';
import { integer, text, type Storable, type Value } from './values';

type Raw = { [key: string]: Value };

/** An event of a stream. */
export interface StreamEvent<T = Value> {
  /** Where it stands in its stream, from 0. */
  sequence: number;
  /** When it was committed, to the millisecond; never before that of an earlier event. */
  time: Date;
  type: string;
  payload: T;
  /** Over the hash of the event before it and this one's content, in hexadecimal. */
  hash: string;
  /** The commit that appended it. */
  version: Version;
}

/** What is known of a stream. */
export interface StreamInfo {
  name: string;
  /** How many events it has. */
  len: number;
  /** The hash of the last event, which vouches for all before it. */
  hash: string;
  version: Version;
}

/** Which events to read. */
export interface EventOptions extends ListOptions {
  /** From this sequence on; 0 by default. */
  from?: number;
  /** Before this sequence. */
  to?: number;
  /** The last one first. */
  reverse?: boolean;
}

const event = <T>(raw: Raw) => ({ ...raw, time: date(raw.time) }) as unknown as StreamEvent<T>;

/** One stream of events, which only grows, each event chained to the one before it. Made by `events(name)`. */
export class Events<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;
  readonly name: string;

  /** @internal */
  constructor(caller: Caller<M>, name: string) {
    this.#caller = caller;
    this.name = text('name', name);
  }

  /**
   * Puts an event at the end; its payload is an object. On an engine it gives the sequence; in a transaction that is
   * decided when it commits. Appends do not conflict with each other.
   */
  append(type: string, payload: object): Late<M, number> {
    return this.#caller.run(() => {
      const appended = this.#caller.append(this.name, text('type', type), payload);
      const given = appended as Promise<bigint> | undefined;
      return given?.then((sequence) => integer(sequence)) as Done<M, unknown>;
    }) as Late<M, number>;
  }

  /** The event with this sequence; undefined if the stream is not that long. */
  get<T = Value>(sequence: number): StreamEvent<T> | undefined {
    const found = orNone<Raw>(this.#read('event.get', { sequence }));
    return found && event<T>(found);
  }

  /** Events in their order: `for await (const event of engine.events('orders').read())`. */
  read<T = Value>(options: EventOptions = {}): Listing<StreamEvent<T>> {
    const { from, to, reverse } = known(options, ...LISTED, 'from', 'to', 'reverse');
    return this.#list('event.range', { from, to, reverse }, options);
  }

  /** Events of a type. */
  byType<T = Value>(type: string, options: Omit<EventOptions, 'to' | 'reverse'> = {}): Listing<StreamEvent<T>> {
    const { from } = known(options, ...LISTED, 'from');
    return this.#list('event.by_type', { type: text('type', type), from }, options);
  }

  /** Events that were committed in a span of time. */
  byTime<T = Value>(options: SpanOptions = {}): Listing<StreamEvent<T>> {
    return this.#list('event.by_time', span(known(options, ...SPANNED)), options);
  }

  /** The last event; undefined if there is none. */
  head<T = Value>(): StreamEvent<T> | undefined {
    const found = orNone<Raw>(this.#read('event.head'));
    return found && event<T>(found);
  }

  /** How many events there are. */
  get length(): number {
    return as(this.#read('event.len'));
  }

  /** The types of its events. */
  types(): string[] {
    return as(this.#read('event.types'));
  }

  /**
   * Checks every event against the hash chain; `SW_CHAIN_BROKEN` names the first that is not what was appended. Reads
   * the whole stream; undefined if there is none.
   */
  verify(): StreamInfo | undefined {
    return orNone(this.#read('event.verify'));
  }

  #read(op: string, more: object = {}): Value {
    return this.#caller.read({ op, stream: this.name, ...more });
  }

  #list<T>(op: string, more: object, options: ListOptions): Listing<StreamEvent<T>> {
    return this.#caller.list<Raw, StreamEvent<T>>({ op, stream: this.name, ...more }, event<T>, options);
  }
}

/** Small named values, changed as a whole, with the version of their last change. */
export class Cells<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
  }

  /** A cell's value and version; undefined if it is not there. */
  get<T = Value>(name: string): Stored<T> | undefined {
    return stored(this.#caller.read({ op: 'cell.get', key: text('name', name) }));
  }

  /** Makes a cell; `SW_ALREADY_EXISTS` if there is one. */
  init(name: string, value: Storable): Done<M, void> {
    return this.#write('cell.init', name, { value: given(value) }, nothing);
  }

  /** The cell's value, which is this one if it was not there. */
  getOrInit<T = Value>(name: string, value: Storable): Done<M, T> {
    return this.#write('cell.get_or_init', name, { value: given(value) }, as<T>);
  }

  /** Sets a cell, whether it is there or not. */
  set(name: string, value: Storable): Done<M, void> {
    return this.#write('cell.set', name, { value: given(value) }, nothing);
  }

  /** Sets a cell if it is still at this version (undefined: is not there); `SW_VERSION_MISMATCH` if not. */
  cas(name: string, version: Version | undefined, value: Storable): Done<M, void> {
    return this.#write('cell.cas', name, { expected: version, value: given(value) }, nothing);
  }

  /** Removes a cell; false if it was not there. */
  delete(name: string): Done<M, boolean> {
    return this.#write('cell.delete', name, {}, as<boolean>);
  }

  /** Cells in the order of their names. */
  list<T = Value>(options: PageOptions = {}): Listing<[string, Stored<T>]> {
    const { prefix, after } = known(options, ...PAGED);
    const list = { op: 'cell.list', prefix: text('prefix', prefix ?? ''), after };
    return this.#caller.list<Raw, [string, Stored<T>]>(
      list,
      ({ key, ...rest }) => [key as string, rest as unknown as Stored<T>],
      options,
    );
  }

  /** The values that a cell had, the newest first. Reads the log; not in a transaction, and not in memory. */
  history<T = Value>(name: string, limit = 100): Past<T>[] {
    return pasts(this.#caller.read({ op: 'cell.history', key: text('name', name), limit }));
  }

  /** A cell as it was when the store had this version. Reads the log; not in a transaction, and not in memory. */
  getAt<T = Value>(name: string, version: Version): Stored<T> | undefined {
    return stored(this.#caller.read({ op: 'cell.get_at', key: text('name', name), version }));
  }

  #write<T>(op: string, name: string, more: object, show: (given: Value) => T): Done<M, T> {
    return this.#caller.run(() => this.#caller.write({ op, key: text('name', name), ...more }, show));
  }
}

/** A trace as it was recorded. */
export interface Trace<T = Value> {
  id: string;
  /** What it is a part of; null for a root. */
  parent: string | null;
  type: string;
  tags: string[];
  time: Date;
  payload: T;
  version: Version;
}

/** What can be said of a new trace. */
export interface TraceOptions {
  /** Its id; one is made if it is not given, and those sort by time. */
  id?: string;
  /** What it is a part of, which must be there. */
  parent?: string;
  tags?: readonly string[];
}

/** Which traces to list: at most one of `type`, `tag`, `parent` and `roots`. */
export interface TraceListOptions extends SpanOptions {
  type?: string;
  tag?: string;
  parent?: string;
  /** Those without a parent. */
  roots?: boolean;
  /** Only what comes after the trace with this id. */
  after?: string;
}

const trace = <T>(raw: Raw) => ({ ...raw, time: date(raw.time) }) as unknown as Trace<T>;

/** What was done and why, written down once, as trees. Lists are in the order of time. */
export class Traces<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
  }

  /** Writes a trace down; gives its id. */
  record(type: string, payload: Storable, options: TraceOptions = {}): Done<M, string> {
    return this.#caller.run(() => {
      const { id, parent, tags } = known(options, 'id', 'parent', 'tags');
      const record = { op: 'trace.record', type, payload: given(payload), id, parent, tags };
      return this.#caller.write(record, as<string>);
    });
  }

  /** A trace; undefined if it is not there. */
  get<T = Value>(id: string): Trace<T> | undefined {
    const found = orNone<Raw>(this.#caller.read({ op: 'trace.get', id: text('id', id) }));
    return found && trace<T>(found);
  }

  /** A trace and those below it, up to `limit` in all, each before its children, with how far below it is. */
  tree<T = Value>(id: string, limit = 1000): { depth: number; trace: Trace<T> }[] {
    const nodes = this.#caller.read({ op: 'trace.tree', id: text('id', id), limit }) as Raw[];
    return nodes.map((node) => ({ depth: node.depth as number, trace: trace<T>(node.trace as Raw) }));
  }

  /** Traces in the order of time. */
  list<T = Value>(options: TraceListOptions = {}): Listing<Trace<T>> {
    const names = ['type', 'tag', 'parent', 'roots', 'after'] as const;
    const { type, tag, parent, roots, after } = known(options, ...SPANNED, ...names);
    const by = one({
      'trace.by_type': type !== undefined && { type },
      'trace.by_tag': tag !== undefined && { tag },
      'trace.children': parent !== undefined && { id: parent },
      'trace.roots': roots === true && {},
    });
    const which = by ?? { op: 'trace.by_time' };
    return this.#caller.list<Raw, Trace<T>>({ ...which, after, ...span(options) }, trace<T>, options);
  }

  /** How many traces there are. Reads them all. */
  count(): number {
    return as(this.#caller.read({ op: 'trace.count' }));
  }
}

/** Where a run stands. */
export type RunStatus = 'active' | 'paused' | 'completed' | 'failed' | 'cancelled' | 'archived';

/** A run. */
export interface Run<T = Value> {
  id: string;
  /** The space of its state. */
  space: string;
  status: RunStatus;
  parent: string | null;
  created: Date;
  updated: Date;
  tags: string[];
  metadata: T;
  version: Version;
}

/** What can be said of a new run. */
export interface RunOptions {
  /** Its id, a part of a space's name; one is made if it is not given, and those sort by time. */
  id?: string;
  /** What it belongs to, which must be there. */
  parent?: string;
  tags?: readonly string[];
  /** An object. */
  metadata?: object;
}

/** Which runs to list: at most one of `status`, `tag`, `parent` and `roots`. */
export interface RunListOptions extends SpanOptions {
  status?: RunStatus;
  tag?: string;
  parent?: string;
  /** Those without a parent. */
  roots?: boolean;
  /** Only what comes after the run with this id. */
  after?: string;
}

/** A place at which the states of two runs differ. */
export interface RunDifference {
  primitive: string;
  place: string;
  before: Value;
  after: Value;
}

const run = <T>(raw: Raw) =>
  ({ ...raw, created: date(raw.created), updated: date(raw.updated) }) as unknown as Run<T>;

/** What a program did from start to end. A run's state is what is in the space {@link Run.space}. */
export class Runs<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
  }

  /** Makes an active run; gives its id. */
  create(options: RunOptions = {}): Done<M, string> {
    return this.#write('run.create', () => ({ ...known(options, 'id', 'parent', 'tags', 'metadata') }), as<string>);
  }

  /** A run; undefined if it is not there. */
  get<T = Value>(id: string): Run<T> | undefined {
    const found = orNone<Raw>(this.#caller.read({ op: 'run.get', id: text('id', id) }));
    return found && run<T>(found);
  }

  /** Gives a run another status; `SW_ILLEGAL_TRANSITION` if it cannot have that one. */
  setStatus(id: string, status: RunStatus): Done<M, void> {
    return this.#write('run.set_status', { id, status }, nothing);
  }

  /** Sets a place of a run's metadata. */
  setMetadata(id: string, path: string, value: Storable): Done<M, void> {
    return this.#write('run.set_metadata', { id, path, value }, nothing);
  }

  /** Removes a place of a run's metadata. */
  removeMetadata(id: string, path: string): Done<M, void> {
    return this.#write('run.remove_metadata', { id, path }, nothing);
  }

  /** Gives a run a tag; false if it had it. */
  addTag(id: string, tag: string): Done<M, boolean> {
    return this.#write('run.add_tag', { id, tag }, as<boolean>);
  }

  /** Takes a tag away; false if it did not have it. */
  removeTag(id: string, tag: string): Done<M, boolean> {
    return this.#write('run.remove_tag', { id, tag }, as<boolean>);
  }

  /** Makes a child with a copy of a run's state; gives its id. */
  fork(id: string, options: Omit<RunOptions, 'parent'> = {}): Done<M, string> {
    const more = () => {
      const { id: new_id, ...rest } = known(options, 'id', 'tags', 'metadata');
      return { ...rest, id, new_id };
    };
    return this.#write('run.fork', more, as<string>);
  }

  /** Removes a run and its state; with `cascade` all below it, too, else `SW_HAS_CHILDREN`. Gives how many. */
  delete(id: string, options: { cascade?: boolean } = {}): Done<M, number> {
    return this.#write('run.delete', () => ({ ...known(options, 'cascade'), id }), as<number>);
  }

  /** Runs in the order in which they were created. */
  list<T = Value>(options: RunListOptions = {}): Listing<Run<T>> {
    const names = ['status', 'tag', 'parent', 'roots', 'after'] as const;
    const { status, tag, parent, roots, after } = known(options, ...SPANNED, ...names);
    const by = one({
      'run.by_status': status !== undefined && { status },
      'run.by_tag': tag !== undefined && { tag },
      'run.children': parent !== undefined && { id: parent },
      'run.roots': roots === true && {},
    });
    const which = by ?? { op: 'run.list' };
    return this.#caller.list<Raw, Run<T>>({ ...which, after, ...span(options) }, run<T>, options);
  }

  /** How many runs there are. Reads them all. */
  count(): number {
    return as(this.#caller.read({ op: 'run.count' }));
  }

  /** Up to `limit` places at which the states of two runs differ. */
  diff(first: string, second: string, limit = 100): RunDifference[] {
    return as(this.#caller.read({ op: 'run.diff', id: first, other: second, limit }));
  }

  /** The commits that changed a run's state, oldest first. Reads the log; not in a transaction, and not in memory. */
  replay(id: string, limit = 100): { version: Version; time: Date; ops: { op: string; at: string }[] }[] {
    const commits = this.#caller.read({ op: 'run.replay', id, limit }) as Raw[];
    return commits.map((commit) => ({ ...commit, time: date(commit.time) })) as never;
  }

  #write<T>(op: string, more: object | (() => object), show: (given: Value) => T): Done<M, T> {
    return this.#caller.run(() => {
      return this.#caller.write({ op, ...(typeof more === 'function' ? more() : more) }, show);
    });
  }
}

/** The one list that is asked for; none if that is none. */
function one(lists: Record<string, object | false>): { op: string } | undefined {
  const asked = Object.entries(lists).filter(([, which]) => which !== false);
  if (asked.length > 1) {
    const names = asked.map(([op]) => op.split('.')[1]).join(', ');
    throw new TypeError(`give only one of what to list by (${names})`);
  }
  const [op, which] = asked[0] ?? [];
  return op === undefined ? undefined : { op, ...which };
}
