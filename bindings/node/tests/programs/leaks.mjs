// Ten thousand engines, transactions, values, documents and waits, by the first argument: the memory of the process must
// not grow with them. Run with --expose-gc.
import { Document, Engine, Query, Schema } from '@statewright/node';

const [what, count] = [process.argv[2], Number(process.argv[3])];
const TOLERATED = 24 << 20; // what allocators keep varies by this much

const shared = Engine.memory();
await shared.deploy('name: quick\nversion: 1\ntasks:\n  set: { kind: set, set: { .x: 1 } }\n');
const finished = await shared.start('quick');
await shared.wait(finished);
const text = 'x'.repeat(20_000);

const one = {
  async engines() {
    const engine = Engine.memory();
    await engine.kv.put('k', text);
    await engine.close();
  },
  async txns(index) {
    const txn = shared.begin();
    txn.kv.put('k', text);
    if (index % 3 === 0) await txn.commit();
    else if (index % 3 === 1) txn.rollback();
    // and every third is forgotten
  },
  async values(index) {
    await shared.kv.put(`k${index % 10}`, { text, bytes: new Uint8Array(20_000) });
    shared.kv.get(`k${index % 10}`);
    for (const _ of shared.kv.scan({ limit: 3 }));
  },
  async documents(index) {
    const document = Document.of({ text, list: [index, { n: 2n ** 60n }] });
    document.at('.list').get('[1].n');
    for (const _ of document.entries('.list')) break;
    document.query('$..n');
    Query.parse('$.text').first(document);
    Schema.compile({ required: ['none'] }).violations(document);
    if (index % 2 === 0) document.close();
    // and every second is forgotten, as is what was made of it
  },
  async errors() {
    await shared.json.set('none', '.a', text).catch(() => {});
    try {
      shared.json.get('d', '..');
    } catch {}
  },
  async waits(index) {
    const stop = new AbortController();
    const polling = shared.poll({ topics: ['none'], signal: stop.signal }).catch(() => {});
    await shared.wait(finished, { timeoutMs: 1000, signal: stop.signal });
    stop.abort();
    await polling;
    if (index % 100 === 0) await new Promise(setImmediate);
  },
}[what];

/** Garbage is collected, and what is done about it (finalizers run in tasks of their own) too. */
async function settled() {
  for (let round = 0; round < 5; round++) {
    global.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage();
}

async function run(times) {
  for (let index = 0; index < times; index++) {
    await one(index);
    if (index % 1000 === 999) await settled();
  }
  return settled();
}

const before = await run(count / 5);
const after = await run(count);
const grown = {
  rss: after.rss - before.rss,
  heap: after.heapUsed - before.heapUsed,
  external: after.external - before.external,
};
if (shared.stats().transactions !== 0)
  throw new Error(`${shared.stats().transactions} transactions are still open`);
for (const [kind, bytes] of Object.entries(grown)) {
  if (bytes > (kind === 'rss' ? TOLERATED : 4 << 20))
    throw new Error(`${kind} grew by ${bytes} bytes: ${JSON.stringify(after)}`);
}
await shared.close();
console.log(`no leak in ${what}`);
