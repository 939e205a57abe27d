// What a program in TypeScript writes. It is checked, never run.
import {
  Document,
  Engine,
  Extended,
  Query,
  Schema,
  StatewrightError,
  WorkFailure,
  check,
  type CaseState,
  type Conflict,
  type Handler,
  type Kind,
  type Listing,
  type StatusName,
  type Stored,
  type Value,
  type Violation,
  type WorkItem,
} from '@statewright/node';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

interface Order {
  sku: string;
  quantity: number;
}

class Point {
  constructor(readonly x: number) {}
}

await using engine = await Engine.open('folder', { durability: 'buffered', syncIntervalMs: 5 });
using inMemory = Engine.memory({ drive: false });
// @ts-expect-error: the folder is needed
await Engine.open();
// @ts-expect-error: memory has no folder
Engine.open('folder', { durability: 'memory' });

// Reading returns, writing promises.
const value = engine.kv.get('key');
same<typeof value, Value | undefined>(true);
const put = engine.kv.put('key', { n: 1n, at: new Date(), bytes: new Uint8Array(1) });
same<typeof put, Promise<void>>(true);
const order = engine.json.get<Order>('order', '.lines[0]');
same<typeof order, Order | undefined>(true);
await engine.kv.put(new Uint8Array(1), new Point(1));
const given: Order = { sku: 'pen', quantity: 1 };
await engine.json.set('order', '.lines[0]', given);
// @ts-expect-error: undefined is no value
await engine.kv.put('key', undefined);
// @ts-expect-error: a number is no key
engine.kv.get(1);

// Lists.
const byText = engine.kv.scan<Order>({ prefix: 'o' });
same<typeof byText, Listing<[string, Order]>>(true);
const byBytes = engine.kv.scan({ keys: 'bytes' });
same<typeof byBytes, Listing<[Uint8Array, Value]>>(true);
for (const [key, listed] of byText) same<[typeof key, typeof listed], [string, Order]>(true);
for await (const [key] of byBytes) same<typeof key, Uint8Array>(true);
for (const state of engine.cases({ status: 'running' })) same<typeof state, CaseState>(true);
// @ts-expect-error: no such status
engine.cases({ status: 'stopped' });

// All primitives: promises on an engine, at once in a transaction.
same<ReturnType<typeof engine.kv.increment>, Promise<number | bigint>>(true);
const kvCell = engine.cells.get<Order>('c');
same<typeof kvCell, Stored<Order> | undefined>(true);
const sequence: number = await engine.events('orders').append('placed', given);
for await (const event of engine.events('orders').read<Order>({ from: sequence })) {
  same<typeof event.payload, Order>(true);
}
const trace: string = await engine.traces.record('t', null, { tags: ['x'] });
for (const run of engine.runs.list({ status: 'active', since: new Date() })) same<typeof run.created, Date>(true);
// @ts-expect-error: no such status
engine.runs.list({ status: 'tired' });
// @ts-expect-error: a payload is an object
await engine.events('orders').append('placed', 7);
void [kvCell, trace];

// Transactions.
const count = await engine.transact((txn) => {
  txn.space('other').kv.put('k', 1);
  return txn.json.get<number>('d', '.n') ?? 0;
});
same<typeof count, number>(true);
{
  using txn = engine.begin({ isolation: 'snapshot' });
  const written: void = txn.kv.put('k', 1);
  const sum: void = txn.kv.increment('n');
  const id: string = txn.traces.record('t', { sum });
  const before = txn.savepoint();
  txn.events('orders').append('placed', { id });
  before.rollback();
  const version: number | bigint = await txn.commit();
  void [written, version];
}

// Options are those of the method.
// @ts-expect-error: no such option
engine.kv.scan({ since: new Date() });
// @ts-expect-error: no such option
await engine.start('flow', given, { name: 'mine' });
// @ts-expect-error: no such option
await engine.wait('id', { timeout: 5 });
// @ts-expect-error: no such option
engine.cases({ prefix: 'a' });

// Cases and work.
const id: string = await engine.start('flow', given, { id: 'mine' });
const done = await engine.wait<{ total: number }>(id, { signal: AbortSignal.timeout(1), timeoutMs: 5 });
same<typeof done.result, { total: number }>(true);
const pricing: Handler<Order[]> = (item, { signal }) => {
  same<typeof item, WorkItem<Order[]>>(true);
  same<typeof signal, AbortSignal>(true);
  if (item.attempt > 1) throw new WorkFailure('no', { code: 'E', retryable: false });
  return item.input.map(({ quantity }) => quantity);
};
await engine.worker(
  {
    pricing,
    nothing() {},
    async later() {
      return { ok: true };
    },
  },
  { concurrency: 2 },
);
for await (const item of engine.items<Order>({ topics: ['t'] })) await item.complete(item.input);
// @ts-expect-error: topics are needed
await engine.poll({ max: 1 });

// Documents.
{
  using document = Document.of(given);
  same<typeof document, Document>(true);
  const found = document.get('.sku');
  same<typeof found, Value | undefined>(true);
  const typed = document.get<Order>();
  same<typeof typed, Order | undefined>(true);
  document.set('.price', Extended.of('decimal', '12.50'));
  document.set('.part', document);
  document.merge({ a: 1n }, { arrays: 'byIndex', nulls: 'skip' });
  for (const [key, item] of document.entries()) same<[typeof key, typeof item], [string | number, Value]>(true);
  const kind: Kind | undefined = document.kind('.price');
  const skus: string[] = document.query<string>('$..sku');
  using query = Query.parse('$..sku', { maxSteps: 1000 });
  for (const [path, sku] of query.locate<string>(document, 'pointer')) same<[typeof path, typeof sku], [string, string]>(true);
  using schema = Schema.compile({ type: 'object' }, { draft: 7 });
  const violations: Violation[] = schema.violations(document);
  const { document: merged, conflicts } = document.merge3(document.clone(), document.clone(), 'theirs');
  same<typeof conflicts, Conflict[]>(true);
  merged.close();
  await engine.kv.put('document', document);
  // @ts-expect-error: undefined is no value
  document.set('.a', undefined);
  // @ts-expect-error: no such kind
  Extended.of('money', '1');
  // @ts-expect-error: a document is made of something
  new Document();
  void [kind, skus, violations];
}

// Errors.
try {
  check('');
} catch (error) {
  if (error instanceof StatewrightError && error.code === 'SW_CONFLICT') {
    same<typeof error.status, number>(true);
    same<typeof error.retryable, boolean>(true);
  }
  // @ts-expect-error: no such code
  if (error instanceof StatewrightError && error.code === 'SW_NONE') throw error;
}
const code: StatusName = 'SW_TIMEOUT';
void [inMemory, code];
