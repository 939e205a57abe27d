// Spaces: named parts of the state, each with all primitives.

import type { Caller, Done, Mode } from './caller';
import { Json } from './json';
import { Kv } from './kv';
import type { Listing } from './listing';
import { Cells, Events, Runs, Traces, type StreamInfo } from './records';
import { known, PAGED, type PageOptions } from './state';
import { text } from './values';

/** A part of the store with keys, documents, streams, cells, traces and runs of its own. */
export class Space<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;
  /** The name, such as `tenant/app/agent/run`; empty is `default`. */
  readonly name: string;
  readonly kv: Kv<M>;
  readonly json: Json<M>;
  readonly cells: Cells<M>;
  readonly traces: Traces<M>;
  readonly runs: Runs<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
    this.name = caller.space;
    this.kv = new Kv(caller);
    this.json = new Json(caller);
    this.cells = new Cells(caller);
    this.traces = new Traces(caller);
    this.runs = new Runs(caller);
  }

  /** A stream of events; it is made by the first one. */
  events(name: string): Events<M> {
    return new Events(this.#caller, name);
  }

  /** The streams, in the order of their names. */
  streams(options: PageOptions = {}): Listing<StreamInfo> {
    const { prefix, after } = known(options, ...PAGED);
    const list = { op: 'event.streams', prefix: text('prefix', prefix ?? ''), after };
    return this.#caller.list<StreamInfo, StreamInfo>(list, (info) => info, options);
  }
}

/** What a space holds. */
export interface SpaceInfo {
  keys: number;
  documents: number;
  cells: number;
  streams: number;
  traces: number;
  runs: number;
}

/** All spaces. A space is made by the first write to it. An empty name is `default`. */
export class Spaces<M extends Mode = 'engine'> {
  readonly #caller: Caller<M>;

  /** @internal */
  constructor(caller: Caller<M>) {
    this.#caller = caller;
  }

  /** The names of the spaces that hold something, in order. */
  list(options: PageOptions = {}): Listing<string> {
    const { prefix, after } = known(options, ...PAGED);
    const list = { op: 'space.list', prefix: text('prefix', prefix ?? ''), after };
    return this.#caller.list<string, string>(list, (name) => name, options);
  }

  /** What a space holds. Reads all of it. */
  info(name: string): SpaceInfo {
    return this.#caller.read({ op: 'space.info', in: text('name', name) }) as unknown as SpaceInfo;
  }

  /** Whether a space holds anything. */
  has(name: string): boolean {
    return this.#caller.read({ op: 'space.exists', in: text('name', name) }) as boolean;
  }

  /** Removes everything that a space holds and the states of its runs; false if there was nothing. */
  delete(name: string): Done<M, boolean> {
    return this.#caller.run(() => {
      const remove = { op: 'space.delete', in: text('name', name) };
      return this.#caller.write(remove, (found) => found as boolean);
    });
  }

  /** Copies everything in a space and the states of its runs to one that holds nothing; else `SW_ALREADY_EXISTS`. */
  copy(from: string, to: string): Done<M, void> {
    return this.#caller.run(() => {
      const copy = { op: 'space.copy', in: text('from', from), to: text('to', to) || 'default' };
      return this.#caller.write(copy, () => undefined);
    });
  }
}
