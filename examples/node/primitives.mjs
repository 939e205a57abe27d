// All six primitives, and one transaction over them. Run it with the folder for the store as the argument.
import { Engine } from '@statewright/node';

const engine = await Engine.open(process.argv[2]);
const { kv, json, cells, traces, runs } = engine;

/** What a refused call is refused with. */
async function refused(call) {
  const error = await call.then(() => undefined, (error) => error);
  console.log(`refused: ${error.status}`);
}

// Keys: counters that never conflict, compare-and-swap, scans of any length.
await kv.increment('visits');
console.log(`counter: ${await kv.increment('visits', 2)}`);
await refused(kv.cas('visits', 7, 8));
for (const n of [1, 2, 3]) await kv.put(`job/${n}`, n);
const jobs = [];
for await (const [key] of kv.scan({ prefix: 'job/' })) jobs.push(key);
console.log(`jobs: ${jobs.join(' ')}`);
const [[last]] = kv.scan({ prefix: 'job/', reverse: true, limit: 1 });
console.log(`last: ${last}`);

// JSON documents: only what changes is written down.
await json.create('order', { lines: ['pen'] });
await json.push('order', '.lines', 'book');
await json.increment('order', '.total', 30);
console.log(`order: ${JSON.stringify(json.get('order'))}`);

// Events: streams that only grow, each event chained to the one before it.
const orders = engine.events('orders');
await orders.append('placed', { id: 1 });
await orders.append('paid', { id: 1 });
await orders.append('placed', { id: 2 });
console.log(`events: ${orders.read().toArray().map((event) => event.type).join(' ')}`);
const placed = orders.byType('placed').toArray().length;
console.log(`placed: ${placed} of ${orders.verify().len}, the chain holds`);

// Cells: small values that are changed by version.
await cells.init('phase', 'draft');
const { version } = cells.get('phase');
await cells.cas('phase', version, 'review');
console.log(`phase: ${JSON.stringify(cells.get('phase').value)}`);
await refused(cells.cas('phase', version, 'done'));

// Traces: what was done and why, as trees.
await traces.record('decision', { use: 'search' }, { id: 'plan' });
await traces.record('tool_call', { tool: 'search' }, { id: 'call', parent: 'plan', tags: ['slow'] });
const tree = traces.tree('plan').map(({ depth, trace }) => `${depth} ${trace.id}`);
console.log(`tree: ${tree.join(', ')}`);

// Runs: each with a space for its state, which can be forked and compared.
await runs.create({ id: 'r1', tags: ['nightly'] });
await engine.space(runs.get('r1').space).kv.put('rows', 17);
await runs.fork('r1', { id: 'r2' });
await engine.space(runs.get('r2').space).kv.put('rows', 18);
for (const { place, before, after } of runs.diff('r1', 'r2')) console.log(`diff: ${place} ${before} -> ${after}`);
await runs.setStatus('r1', 'completed');
await refused(runs.setStatus('r1', 'active'));

// All of it in one commit, and a part of it undone. It is run again if somebody else got in between.
await engine.transact((txn) => {
  txn.kv.put('kept', 1);
  const before = txn.savepoint();
  txn.kv.put('tried', 2);
  before.rollback();
  txn.events('orders').append('sent', { id: 1 });
  txn.cells.set('phase', 'done');
});
console.log(`kept: ${kv.has('kept')}, tried: ${kv.has('tried')}, events: ${orders.length}`);
console.log(`spaces: ${engine.spaces.list().toArray().join(' ')}`);
await engine.close();
