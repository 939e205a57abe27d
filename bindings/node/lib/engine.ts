// The engine: opening a store, and everything that is done with it.

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { native } from './addon';
import {
  readCase,
  readCases,
  readDeployed,
  readHistory,
  readProblems,
  readStats,
  readWaiting,
  type CaseListOptions,
  type CaseState,
  type Deployed,
  type HistoryEvent,
  type Problem,
  type Stats,
  type Waiting,
} from './cases';
import { operation, type WaitOptions } from './completions';
import {
  readDelivery,
  take,
  work,
  type Delivery,
  type TakeOptions,
  type WorkInfo,
  type WorkListOptions,
} from './inbox';
import { attempt, translated, type StatewrightError } from './errors';
import { readSchedules, readTimes, type Schedule } from './schedules';
import { listing, type Listing } from './listing';
import type { Engine as Handle, OpenOptions as NativeOptions } from './native';
import { Session } from './session';
import { EngineCaller } from './caller';
import type { Json } from './json';
import { limit } from './held';
import type { Kv } from './kv';
import type { Cells, Events, Runs, StreamInfo, Traces } from './records';
import { known, type PageOptions } from './state';
import { Space, Spaces } from './store';
import { transact, Txn, type TransactOptions, type TxnOptions } from './txn';
import { readStarted, readVerdicts } from './verdicts';
import { decode, encode, integer, nanoseconds, text, type Storable, type Value } from './values';
import {
  items,
  poll,
  serve,
  type Handler,
  type PollOptions,
  type WorkerOptions,
  onlyToken,
  WorkItem,
  encodeOutcomes,
  type WorkOutcome,
} from './work';
import {
  readAnswer,
  type FlowInfo,
  type Fork,
  type ForkOptions,
  type MigrateOptions,
  type Migration,
  type Plan,
  type PlanOptions,
} from './versions';

/** How to open an engine. */
export interface EngineOptions {
  /**
   * What a commit survives: `strict`, the default, a power cut; `buffered` a killed process, and a power cut
   * soon after.
   */
  durability?: 'buffered' | 'strict';
  /** In buffered mode, how long a commit waits at most before it is synced, in milliseconds; 50 by default. */
  syncIntervalMs?: number;
  /** False: cases do not move, only the store can be used. */
  drive?: boolean;
  /** How many programs of `process` tasks run at the same time, 1 to 256; 4 by default. */
  workerThreads?: number;
  /**
   * How many bytes one commit has at most, up to 1 GiB; 64 MiB by default. A larger one rejects with
   * `SW_FRAME_TOO_LARGE`. In memory there is no such limit.
   */
  maxCommitBytes?: number;
}

/** An operation, with its parameters; `space` is `default` unless it is given. */
export interface Call {
  /** What is done: `kv.put`, `event.append`, … */
  op: string;
  [parameter: string]: Storable;
}

/** An operation that {@link Engine.call} and {@link Txn.call} know. */
export interface Operation {
  name: string;
  /** The parameters it needs. */
  required: string[];
  /** The parameters it takes besides. */
  optional: string[];
}

/** Lists the operations that can be called. */
export function operations(): Operation[] {
  return decode(attempt(() => native.operations())) as unknown as Operation[];
}

/** How to start a case. */
export interface StartOptions {
  /** The id to give it; one is made if it is not given. `SW_CASE_EXISTS` if it is taken. */
  id?: string;
}

/**
 * An open store and the flows that run on it.
 *
 * Reading is in memory and returns at once. What commits returns a promise, which is fulfilled when the commit
 * is durable: waiting for the disk is done on threads of libuv's pool. Writes that are not awaited run in any
 * order.
 */
export class Engine {
  readonly #session: Session;
  readonly #space: Space;

  private constructor(session: Session) {
    this.#session = session;
    this.#space = this.space('');
  }

  /**
   * Opens a store's folder, making it if it is not there, and recovers what it holds. One process at a time has
   * a folder open; another gets `SW_LOCKED`.
   */
  static async open(folder: string, options: EngineOptions = {}): Promise<Engine> {
    if (text('folder', folder) === '')
      throw new TypeError('`folder` must not be empty; Engine.memory() needs none');
    const given = nativeOptions(options);
    const handle = await native.openAsync(resolve(folder), given).catch((error: unknown) => {
      throw translated(error);
    });
    return new Engine(new Session(handle, true));
  }

  /** An engine that lives in memory, and is gone when it is closed. */
  static memory(options: Pick<EngineOptions, 'drive' | 'workerThreads'> = {}): Engine {
    return new Engine(
      new Session(
        attempt(() => native.open('', nativeOptions(options))),
        true,
      ),
    );
  }

  /**
   * The engine that another thread of this process has open, by its {@link handle}. Closing this one only lets
   * go of it: it ends when the thread that opened it closes it, or ends itself.
   */
  static attach(handle: bigint): Engine {
    return new Engine(new Session(handle as Handle, false));
  }

  /** For {@link attach} in a worker thread. It is no secret, and a wrong one is refused. */
  get handle(): bigint {
    return this.#session.handle;
  }

  /**
   * Stops its work, syncs, and releases the folder. Pending operations reject with `SW_CLOSED`, workers end.
   */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** False once it was closed. */
  get isOpen(): boolean {
    return this.#session.open;
  }

  /** `close` on the JavaScript thread, which it may hold up; prefer `await using`. */
  [Symbol.dispose](): void {
    this.#session.closeNow();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The keys of the space `default`. */
  get kv(): Kv {
    return this.#space.kv;
  }

  /** The JSON documents of the space `default`. */
  get json(): Json {
    return this.#space.json;
  }

  /** The cells of the space `default`. */
  get cells(): Cells {
    return this.#space.cells;
  }

  /** The traces of the space `default`. */
  get traces(): Traces {
    return this.#space.traces;
  }

  /** The runs of the space `default`. */
  get runs(): Runs {
    return this.#space.runs;
  }

  /** A stream of events of the space `default`; it is made by the first one. */
  events(name: string): Events {
    return this.#space.events(name);
  }

  /** The streams of the space `default`. */
  streams(options: PageOptions = {}): Listing<StreamInfo> {
    return this.#space.streams(options);
  }

  /** A part of the store with state of its own, such as `tenant/app/agent/run`. */
  space(name: string): Space {
    return new Space(new EngineCaller(this.#session, name));
  }

  /** All spaces. */
  get spaces(): Spaces {
    return new Spaces(new EngineCaller(this.#session, ''));
  }

  /** Begins a transaction. Prefer {@link transact}, which runs it again after a conflict. */
  begin(options: TxnOptions = {}): Txn {
    return new Txn(this.#session, options);
  }

  /**
   * Runs `work` in a transaction and commits it, again and again while it conflicts with others. So `work` may
   * run more than once and must do nothing that cannot be done twice. What it throws rolls back and is thrown
   * on.
   */
  transact<T>(work: (txn: Txn) => T | PromiseLike<T>, options: TransactOptions = {}): Promise<T> {
    return transact(this.#session, work, options);
  }

  /**
   * Runs operations of keys, documents, events, cells, traces, runs and spaces, all of them in one transaction or, if
   * one fails, none; a conflict is tried again. A call is an object such as
   * `{ op: 'event.append', stream: 'orders', type: 'placed', payload: { id: 17 } }`; {@link operations} lists what there
   * is. Gives what each call gives, and the version of the commit. One call alone may also be on the past
   * (`kv.history`, …), and then `kv.increment`, `json.increment` and `event.append` give the sum and the sequence, and
   * never conflict.
   */
  async call(...calls: Call[]): Promise<{ results: Value[]; version: number | bigint }> {
    const done = await this.#session.commit(native.call, native.callAsync, encode(calls));
    return { results: decode(done.results) as Value[], version: integer(done.version) };
  }

  /** Makes everything committed so far survive a power cut. */
  sync(): Promise<void> {
    return this.#session.later(native.syncAsync);
  }

  stats(): Stats {
    return readStats(this.#session.now(native.stats));
  }

  /**
   * Reads a flow's text (YAML or JSON), checks it, and keeps it under its name and version. `SW_INVALID_SPEC`
   * if it has errors, which {@link check} lists.
   */
  async deploy(flow: string, options: { dir?: string } = {}): Promise<Deployed> {
    const dir = text('dir', known(options, 'dir').dir ?? '');
    return readDeployed(await this.#session.later(native.flowDeployAsync, text('flow', flow), dir));
  }

  /** Deploys the flow in a file; its folder is `$flow.dir`. */
  async deployFile(file: string): Promise<Deployed> {
    return this.deploy(await readFile(file, 'utf8'), { dir: resolve(dirname(file)) });
  }

  /**
   * Starts a case of a flow; its input, an object, is merged over the flow's own. Gives the case's id.
   *
   * Cases of a flow that are started in the same turn of the event loop, or while others are on their way, wait for the disk
   * together, so that many at a time are as fast as {@link Engine.startAll}; but for those that are given an `id`.
   */
  async start(flow: string, input: object | null = null, options: StartOptions = {}): Promise<string> {
    const [session, id, group] = [this.#session, text('id', known(options, 'id').id ?? ''), text('flow', flow)];
    const payload = encode(input).slice();
    const alone = () => session.later(native.caseStartAsync, group, payload, id);
    return id === '' ? session.starts.ask({ group, parts: [payload], alone }) : alone();
  }

  /**
   * Starts several cases of a flow, one for each input, and gives for each its id, or the {@link StatewrightError} with
   * which it was refused. Each is a commit of its own, but they wait for the disk together: many times faster than one by
   * one. At most 10 000.
   */
  async startAll(flow: string, inputs: readonly (object | null)[]): Promise<(string | StatewrightError)[]> {
    const started = await this.#session.later(native.caseStartAllAsync, text('flow', flow), encode(inputs));
    return readStarted(started);
  }

  /**
   * Hands in what became of several work items: each a result, or why it could not be done. Gives for each undefined, or
   * the {@link StatewrightError} with which it was refused, such as `SW_STALE_ITEM`. Each is a commit of its own, but they
   * wait for the disk together: many times faster than one by one. At most 10 000.
   */
  async deliver(outcomes: readonly WorkOutcome[]): Promise<(StatewrightError | undefined)[]> {
    return readVerdicts(await this.#session.later(native.workDeliverAsync, encodeOutcomes(outcomes)));
  }

  /** The state of a case. */
  case<T = Value>(id: string): CaseState<T> {
    return readCase<T>(this.#session.now(native.caseGet, text('id', id)));
  }

  /** Cases in the order of their ids. */
  cases<T = Value>(options: CaseListOptions = {}): Listing<CaseState<T>> {
    const session = this.#session;
    const { flow = '', status = '', after: begin = '', limit: most } = known(options, 'flow', 'status', 'after', 'limit');
    const filter = [text('flow', flow), text('status', status)] as const;
    const first = text('after', begin);
    return listing<CaseState<T>, CaseState<T>>({
      now: (after, limit) => readCases<T>(session.now(native.caseList, ...filter, after?.id ?? first, limit)),
      later: async (after, limit) =>
        readCases<T>(await session.later(native.caseListAsync, ...filter, after?.id ?? first, limit)),
      show: (state) => state,
      limit: most,
    });
  }

  /**
   * Asks a case: evaluates a jq expression on its data, with `$case`, `$flow` and `$data`, running or ended. Nothing is
   * changed. `SW_EXPRESSION` if it cannot be read, `SW_REFUSED` if it fails on this data or does not give exactly one value.
   */
  query<T = Value>(id: string, jq: string): T {
    return decode(this.#session.now(native.caseQuery, text('id', id), text('jq', jq))) as T;
  }

  /** What a case waits for, since when, and what would move it on. */
  explain(id: string): Waiting[] {
    return readWaiting(this.#session.now(native.caseExplain, text('id', id)));
  }

  /**
   * What has happened to a case, oldest first; only what came after the event with that number, if it is given.
   */
  history(id: string, options: { after?: number } = {}): Listing<HistoryEvent> {
    const session = this.#session;
    const name = text('id', id);
    const first = known(options, 'after').after ?? 0;
    // One page: the library gives all there is.
    const rest = (after: HistoryEvent | undefined) => BigInt(after?.seq ?? first);
    return listing<HistoryEvent, HistoryEvent>({
      now: (after) => readHistory(session.now(native.caseHistory, name, rest(after))),
      later: async (after) => readHistory(await session.later(native.caseHistoryAsync, name, rest(after))),
      show: (event) => event,
      limit: undefined,
    });
  }

  /** Waits for a case to end, and gives its state, however it ended: see its `status`. */
  async wait<T = Value>(id: string, options: WaitOptions = {}): Promise<CaseState<T>> {
    const submit = (engine: Handle, cq: Parameters<typeof native.caseWait>[2]) =>
      native.caseWait(engine, text('id', id), cq, 0n);
    return operation(this.#session, submit, readCase<T>, known(options, 'signal', 'timeoutMs'));
  }

  /**
   * Suspends a case and those it called: nothing is offered or started and no timer fires until it is resumed. Work that
   * somebody has already may still be completed. `SW_REFUSED` if it is suspended already.
   */
  async suspend(id: string): Promise<void> {
    await this.#session.later(native.caseSuspendAsync, text('id', id));
  }

  /** Lets a suspended case go on. Timers that fell due meanwhile fire at once. `SW_REFUSED` if it is not suspended. */
  async resume(id: string): Promise<void> {
    await this.#session.later(native.caseResumeAsync, text('id', id));
  }

  /** Cancels a case with all its work, timers and called cases; it is then `cancelled`. The reason is for people. */
  async cancel(id: string, reason = ''): Promise<void> {
    await this.#session.later(native.caseCancelAsync, text('id', id), text('reason', reason));
  }

  /** Ends a case by force; it is then `terminated`, and nothing that a flow does on being cancelled is done. */
  async terminate(id: string, reason = ''): Promise<void> {
    await this.#session.later(native.caseTerminateAsync, text('id', id), text('reason', reason));
  }

  /**
   * Has a case undo what its tasks have done, newest first: a running one is cancelled for it; of one that has ended, what
   * it did is undone afterwards. `SW_REFUSED` if nothing is left to be undone.
   */
  async compensate(id: string, reason = ''): Promise<void> {
    await this.#session.later(native.caseCompensateAsync, text('id', id), text('reason', reason));
  }

  /** The deployed flows with all their versions. */
  async versions(): Promise<FlowInfo[]> {
    return readAnswer(await this.#session.later(native.flowVersionsAsync));
  }

  /** Checks every open case of a flow against another version of it, and tells what moving them would do. */
  async plan(flow: string, options: PlanOptions = {}): Promise<Plan> {
    const { dir = '', renames = null } = known(options, 'dir', 'renames');
    const [spec, folder] = [text('flow', flow), text('dir', dir)];
    return readAnswer(await this.#session.later(native.flowPlanAsync, spec, folder, encode(renames)));
  }

  /**
   * Moves running cases of a flow to another version, as far as they have a place there. It is deployed, so that new cases
   * run on it too. Each cohort of cases is one commit. What is claimed stays claimed, and timers go on.
   */
  async migrate(flow: string, options: MigrateOptions = {}): Promise<Migration> {
    const { dir = '', ...rest } = known(options, 'dir', 'renames', 'cohort', 'cases');
    const [spec, folder] = [text('flow', flow), text('dir', dir)];
    return readAnswer(await this.#session.later(native.flowMigrateAsync, spec, folder, encode(rest as Storable)));
  }

  /**
   * Moves the cases of a migration (its id, or a flow's name for the newest) back, as far as they still have a place there.
   */
  async undoMigration(migration: string): Promise<Migration> {
    return readAnswer(await this.#session.later(native.flowUndoMigrationAsync, text('migration', migration)));
  }

  /** Makes a new case of another one as it was after an event of its history (its `seq`). */
  async fork(id: string, at: number, options: ForkOptions = {}): Promise<Fork> {
    const { id: name = '', results: given } = known(options, 'id', 'results');
    const [from, to] = [text('id', id), text('id', name)];
    const results = given ? 1 : 0;
    return readAnswer(await this.#session.later(native.caseForkAsync, from, BigInt(at), results, to));
  }

  /** The schedules of deployed flows, by the flow's name. Their cases begin by themselves while an engine drives the store. */
  schedules(): Schedule[] {
    return readSchedules(this.#session.now(native.scheduleList));
  }

  /**
   * The next times at which cases of a flow begin by themselves, at most 1000; none while its schedule is paused.
   * `SW_UNKNOWN_FLOW` if the flow has no schedule.
   */
  upcoming(flow: string, count = 10): Date[] {
    return readTimes(this.#session.now(native.scheduleUpcoming, text('flow', flow), count));
  }

  /**
   * Has a flow begin no more cases by itself, over restarts and deployments, until {@link resumeSchedule}. What is due
   * meanwhile is left out; cases that have begun go on. `SW_REFUSED` if it is paused already.
   */
  async pauseSchedule(flow: string): Promise<void> {
    await this.#session.later(native.schedulePauseAsync, text('flow', flow));
  }

  /** Lets a paused schedule go on, with its next time from now on. `SW_REFUSED` if it is not paused. */
  async resumeSchedule(flow: string): Promise<void> {
    await this.#session.later(native.scheduleResumeAsync, text('flow', flow));
  }

  /** Cancels one task of a case: it produces nothing. `SW_REFUSED` if nothing of it is enabled or runs. */
  async cancelTask(id: string, task: string): Promise<void> {
    await this.#session.later(native.caseCancelTaskAsync, text('id', id), text('task', task));
  }

  /** Has a running task of several instances complete with what there is. `SW_REFUSED` if it does not run. */
  async completeTask(id: string, task: string): Promise<void> {
    await this.#session.later(native.caseCompleteTaskAsync, text('id', id), text('task', task));
  }

  /** Adds instances to a running task whose `many` says `add: true`, one for each item. */
  async addInstances(id: string, task: string, items: readonly Storable[]): Promise<void> {
    const what = encode(items as Storable);
    await this.#session.later(native.caseAddInstancesAsync, text('id', id), text('task', task), what);
  }

  /**
   * Sends a signal to a case: the task that has waited longest for this name takes it; else it is kept, if a task of the
   * flow asks for that; else it is lost. `SW_REFUSED` if the data does not fit the `schema` of any task of the flow that
   * waits for it, or the `reply` of the one that takes it cannot be computed: nothing is changed then.
   */
  async signal<R = Value>(id: string, name: string, data: Storable = null): Promise<Delivery<R>> {
    const [to, signal] = [text('id', id), text('name', name)];
    return readDelivery<R>(await this.#session.later(native.caseSignalAsync, to, signal, encode(data)));
  }

  /**
   * Sends a signal to whichever case waits for its name and key: the one that has waited longest takes it. If none does,
   * it is kept if a deployed flow wants that of this name, else lost. `SW_REFUSED` as for {@link signal}.
   */
  async signalKey<R = Value>(name: string, key: string, data: Storable = null): Promise<Delivery<R>> {
    const [signal, to] = [text('name', name), text('key', key)];
    return readDelivery<R>(await this.#session.later(native.signalSendAsync, signal, to, encode(data)));
  }

  /**
   * The work of open cases that waits for a host or is at work, by case and number: for people who choose, where
   * {@link poll} gives what comes first. What a suspended case has not handed out is not among it.
   */
  work<T = Value>(options: WorkListOptions = {}): Listing<WorkInfo<T>> {
    return work<T>(this.#session, options);
  }

  /**
   * Takes one offered work item by its case and number. `SW_REFUSED` if somebody has it, it is no work of a host, or it
   * cannot be had at the moment; the message says why.
   */
  take<T = Value>(id: string, item: number, options: TakeOptions): Promise<WorkItem<T>> {
    return take<T>(this.#session, id, item, options);
  }

  /**
   * An item by its token, to complete, fail, keep, delegate or give it back elsewhere than where it was taken. Only the
   * token is set; whether the engine knows it shows when it is used.
   */
  item(token: string): WorkItem {
    return new WorkItem(this.#session, onlyToken(text('token', token)));
  }

  /**
   * Decides that a work item is not to be done, whoever has it: its task completes without a result, and the case goes
   * on. The reason is for the history.
   */
  async skip(id: string, item: number, reason = ''): Promise<void> {
    await this.#session.later(native.workSkipAsync, text('id', id), BigInt(item), text('reason', reason));
  }

  /** Takes work items, waiting for at least one. Each must then be completed, failed, or kept by heartbeats. */
  poll<T = Value>(options: PollOptions): Promise<WorkItem<T>[]> {
    return poll<T>(this.#session, options);
  }

  /** Work items one after the other: `for await (const item of engine.items({ topics, signal }))`. */
  items<T = Value>(options: PollOptions): AsyncGenerator<WorkItem<T>, void, undefined> {
    return items<T>(this.#session, options);
  }

  /**
   * Serves topics: takes items, runs the topic's handler, heartbeats meanwhile, and completes or fails them.
   * The promise is fulfilled when the signal was aborted or the engine closed, and what was at work is done; it
   * rejects when items could not be taken or finished for another reason.
   */
  // `any`: each handler says what input it expects.
  worker(handlers: Readonly<Record<string, Handler<any>>>, options: WorkerOptions = {}): Promise<void> {
    return serve(this.#session, handlers, options);
  }
}

/** Everything that is wrong with a flow's text; nothing if it is sound. */
export function check(flow: string): Problem[] {
  return readProblems(attempt(() => native.flowCheck(text('flow', flow))));
}

/** The version of the library, such as `0.1.0`. */
export function version(): string {
  return native.version();
}

function nativeOptions(options: EngineOptions): NativeOptions {
  const { SW_DURABILITY_BUFFERED, SW_DURABILITY_STRICT, SW_DRIVE_NONE } = native.constants;
  const modes = { buffered: SW_DURABILITY_BUFFERED, strict: SW_DURABILITY_STRICT };
  const names = ['durability', 'syncIntervalMs', 'drive', 'workerThreads', 'maxCommitBytes'] as const;
  const { durability, syncIntervalMs, drive = true, workerThreads, maxCommitBytes } = known(options, ...names);
  const given: NativeOptions = {};
  if (durability !== undefined) {
    given.durability = modes[durability];
    if (given.durability === undefined) throw new TypeError("`durability` must be 'buffered' or 'strict'");
  }
  if (syncIntervalMs !== undefined) given.syncIntervalNs = nanoseconds('syncIntervalMs', syncIntervalMs);
  if (!drive) given.drive = SW_DRIVE_NONE;
  if (workerThreads !== undefined) given.workerThreads = workerThreads;
  given.maxCommitBytes = limit('maxCommitBytes', maxCommitBytes);
  return given;
}
