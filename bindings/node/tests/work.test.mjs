// Work items and workers.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { Engine, WorkFailure, WorkItem } from '@statewright/node';

import { ONE_TASK, fails, folder, memory, onDisk, sleep } from './support/help.mjs';

/** What goes to the library. */
const { native } = createRequire(import.meta.url)('../dist/addon.js');

async function prepared(t, cases = 1) {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const ids = [];
  for (let index = 0; index < cases; index++) ids.push(await engine.start('one', { index }));
  return { engine, ids };
}

test('an item is polled, kept and completed', async (t) => {
  const { engine, ids } = await prepared(t);
  const items = await engine.poll({ topics: ['other', 'work'], worker: 'me', leaseMs: 1000 });
  assert.equal(items.length, 1);
  const [item] = items;
  assert.ok(item instanceof WorkItem);
  assert.deepEqual(
    [item.case, item.task, item.topic, item.attempt, item.input, item.deadline],
    [ids[0], 'work', 'work', 1, { index: 0 }, null],
  );
  assert.ok(item.leaseUntil > Date.now() && item.leaseUntil < Date.now() + 2000);
  assert.equal(typeof item.idempotencyKey, 'string');
  await item.heartbeat(5000);
  await item.complete({ ok: 2n ** 60n });
  assert.deepEqual((await engine.wait(ids[0])).result, { ok: 2n ** 60n });
  assert.match(JSON.stringify(engine.history(ids[0]).toArray()), /"me"/);
  await fails(() => item.complete(1), 'SW_STALE_ITEM');
  await fails(() => item.fail('late'), 'SW_STALE_ITEM');
  await fails(() => item.heartbeat(), 'SW_STALE_ITEM');
});

test('a poll waits for work, takes several items, and no item twice', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const waiting = [1, 2, 3].map(() => engine.poll({ topics: ['work'], max: 10 }));
  await sleep(5);
  for (let index = 0; index < 3; index++) await engine.start('one', { index });
  const taken = (await Promise.all(waiting)).flat();
  assert.deepEqual(taken.map(({ input }) => input.index).sort(), [0, 1, 2]);
  for (let index = 3; index < 8; index++) await engine.start('one', { index });
  assert.equal((await engine.poll({ topics: ['work'], max: 4 })).length, 4);
  assert.equal((await engine.poll({ topics: ['work'], max: 4 })).length, 1);
});

test('a poll can time out and be aborted, and loses nothing', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  await fails(() => engine.poll({ topics: ['work'], timeoutMs: 10 }), 'SW_TIMEOUT');
  const reason = new Error('stop');
  let [delivered, aborted] = [0, 0];
  for (let round = 0; round < 200; round++) {
    const stop = new AbortController();
    const polling = engine.poll({ topics: ['work'], signal: stop.signal });
    const started = engine.start('one', { round });
    setImmediate(() => stop.abort(reason));
    try {
      const [item] = await polling;
      await item.complete(round);
      delivered++;
    } catch (error) {
      assert.equal(error, reason);
      aborted++;
      await started;
      const [item] = await engine.poll({ topics: ['work'], timeoutMs: 5000 }); // nobody has it
      await item.complete(round);
    }
    assert.equal((await engine.wait(await started)).result, round);
  }
  assert.equal(delivered + aborted, 200);
});

test('bad arguments are refused', async (t) => {
  const { engine } = await prepared(t);
  await fails(() => engine.poll({ topics: [] }), 'SW_INVALID_ARGUMENT');
  await fails(() => engine.poll({ topics: ['work'], max: 0 }), 'SW_INVALID_ARGUMENT');
  await fails(() => engine.poll({ topics: ['work'], max: 1001 }), 'SW_INVALID_ARGUMENT');
  await fails(() => engine.poll({ topics: ['work'], leaseMs: 0 }), 'SW_INVALID_ARGUMENT');
  await assert.rejects(engine.poll({ topics: [1] }), TypeError);
  await assert.rejects(engine.poll({ topics: ['work'], leaseMs: -1 }), TypeError);
  await assert.rejects(engine.poll({ topics: ['work'], max: 1.5 }), TypeError);
  await assert.rejects(engine.worker({}), TypeError);
  await assert.rejects(engine.worker({ work() {} }, { concurrency: 0 }), TypeError);
});

test('an item whose lease ran out goes to somebody else', async (t) => {
  const { engine, ids } = await prepared(t);
  const [first] = await engine.poll({ topics: ['work'], leaseMs: 20 });
  const [second] = await engine.poll({ topics: ['work'], timeoutMs: 5000 });
  assert.equal(second.idempotencyKey, first.idempotencyKey);
  assert.notEqual(second.token, first.token);
  await fails(() => first.heartbeat(), 'SW_STALE_ITEM');
  await fails(() => first.complete('too late'), 'SW_STALE_ITEM');
  await second.complete('in time');
  assert.equal((await engine.wait(ids[0])).result, 'in time');
});

test('a failed item is tried again as its task says', async (t) => {
  const { engine, ids } = await prepared(t);
  const reasons = ['busy', new WorkFailure('busier', { code: 'E_BUSY' })];
  for (const [index, reason] of reasons.entries()) {
    const [item] = await engine.poll({ topics: ['work'], timeoutMs: 5000 });
    assert.equal(item.attempt, index + 1);
    await item.fail(reason);
  }
  const [item] = await engine.poll({ topics: ['work'], timeoutMs: 5000 });
  await item.fail({ message: 'for good', code: 'E_LAST', retryable: false });
  const { status, error } = await engine.wait(ids[0]);
  assert.equal(status, 'failed');
  assert.match(JSON.stringify(error), /for good/);
});

test('items one after the other', async (t) => {
  const { engine, ids } = await prepared(t, 3);
  const seen = [];
  for await (const item of engine.items({ topics: ['work'] })) {
    seen.push(item.case);
    await item.complete(null);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen.sort(), ids.sort());
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 10);
  await assert.rejects(
    async () => {
      for await (const _ of engine.items({ topics: ['work'], signal: stop.signal }));
    },
    { name: 'AbortError' },
  );
});

test('leaving a loop of items gives back what it has not seen', async (t) => {
  const { engine } = await prepared(t, 3);
  for await (const item of engine.items({ topics: ['work'], max: 3 })) {
    await item.complete();
    break;
  }
  const rest = await engine.poll({ topics: ['work'], max: 3, timeoutMs: 5000 });
  assert.equal(rest.length, 2);
});

test('a worker serves its topics until it is stopped', async (t) => {
  const { engine, ids } = await prepared(t, 30);
  const stop = new AbortController();
  let [atWork, most] = [0, 0];
  const serving = engine.worker(
    {
      work: async ({ input }) => {
        most = Math.max(most, ++atWork);
        await sleep(3);
        atWork--;
        return input.index * 2;
      },
    },
    { signal: stop.signal, concurrency: 4, name: 'four at a time' },
  );
  const states = await Promise.all(ids.map((id) => engine.wait(id)));
  assert.deepEqual(
    states.map(({ result }) => result),
    ids.map((_, index) => index * 2),
  );
  assert.equal(most, 4);
  stop.abort();
  await serving;
  const id = await engine.start('one');
  await fails(() => engine.wait(id, { timeoutMs: 20 }), 'SW_TIMEOUT');
});

test('stopping a worker lets it finish what it has', async (t) => {
  const { engine, ids } = await prepared(t);
  const stop = new AbortController();
  const serving = engine.worker(
    { work: async () => (stop.abort(), await sleep(30), 'finished') },
    { signal: stop.signal },
  );
  await serving;
  assert.equal(engine.case(ids[0]).result, 'finished');
  await engine.worker({ work() {} }, { signal: stop.signal }); // stopped already
});

test('a handler that throws fails its item, one that returns nothing completes it with null', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const attempts = [];
  const serving = engine.worker({
    work: ({ input, attempt }) => {
      attempts.push(attempt);
      const { does } = input;
      if (does === 'throws once' && attempt === 1) throw new Error('once');
      if (does === 'throws for good') throw new WorkFailure('for good', { code: 'E_GOOD', retryable: false });
      if (does === 'gives what cannot be stored') return { then: undefined, f: () => 1 };
    },
  });
  const outcome = async (does) => engine.wait(await engine.start('one', { does }));
  assert.deepEqual([(await outcome('throws once')).result, attempts.splice(0)], [null, [1, 2]]);
  const failed = await outcome('throws for good');
  assert.deepEqual([failed.status, attempts.splice(0)], ['failed', [1]]);
  assert.match(JSON.stringify(failed.error), /for good/);
  const unstorable = await outcome('gives what cannot be stored');
  assert.deepEqual([unstorable.status, attempts.splice(0)], ['failed', [1]]);
  assert.match(JSON.stringify(unstorable.error), /a function is no value/);
  await engine.close();
  await serving;
});

test('heartbeats keep an item while its handler works', async (t) => {
  const { engine, ids } = await prepared(t);
  let runs = 0;
  const serving = engine.worker({ work: async () => (runs++, await sleep(2200), 'kept') }, { leaseMs: 1000 });
  assert.equal((await engine.wait(ids[0])).result, 'kept');
  assert.equal(runs, 1);
  await engine.close();
  await serving;
});

test('a result that the library does not take fails its item, and the worker goes on', async (t) => {
  const { engine, ids } = await prepared(t, 2);
  const stop = new AbortController();
  const work = ({ input }) => (input.index === 0 ? new Uint8Array(65 << 20) : 'fine');
  const served = engine.worker({ work }, { signal: stop.signal, concurrency: 1 });
  const [large, fine] = await Promise.all(ids.map((id) => engine.wait(id)));
  stop.abort();
  await served;
  assert.deepEqual([large.status, large.error.code, fine.result], ['failed', 'SW_TOO_LARGE', 'fine']);
});

test('a lease longer than timers go is not kept by a flood of heartbeats', async (t) => {
  const { engine, ids } = await prepared(t);
  const beats = t.mock.method(native, 'workHeartbeatAsync');
  const stop = new AbortController();
  const served = engine.worker({ work: () => sleep(50) }, { leaseMs: 80 * 86_400_000, signal: stop.signal });
  await engine.wait(ids[0]);
  stop.abort();
  await served;
  assert.equal(beats.mock.callCount(), 0);
});

test('a heartbeat that fails for another reason than that the item is lost is followed by others', async (t) => {
  const { engine, ids } = await prepared(t);
  const full = Object.assign(new Error('full'), { code: 'SW_NO_SPACE', status: 305, retryable: false, path: '', help: '' });
  const beats = t.mock.method(native, 'workHeartbeatAsync');
  beats.mock.mockImplementationOnce(() => Promise.reject(full));
  const stop = new AbortController();
  const work = async (item, { signal }) => {
    while (beats.mock.callCount() < 3) await sleep(5);
    return { attempt: item.attempt, lost: signal.aborted };
  };
  const served = engine.worker({ work }, { leaseMs: 60, signal: stop.signal });
  assert.deepEqual((await engine.wait(ids[0])).result, { attempt: 1, lost: false });
  stop.abort();
  await served;
});

test('a handler is told when its item is lost', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK.replace('retry:', 'timeout: 50ms, retry:'));
  const id = await engine.start('one');
  const lost = new Promise((resolve) => {
    engine.worker(
      {
        work: async (item, { signal }) => {
          if (item.attempt > 1) return 'second';
          await new Promise((stop) => signal.addEventListener('abort', stop));
          resolve(signal.reason);
        },
      },
      { leaseMs: 30 },
    );
  });
  assert.equal((await lost).code, 'SW_STALE_ITEM');
  assert.equal((await engine.wait(id)).result, 'second');
});

test('closing the engine ends its workers, also with items at work', async () => {
  const engine = Engine.memory();
  await engine.deploy(ONE_TASK);
  await engine.start('one');
  let told;
  const started = new Promise((resolve) => (told = resolve));
  const busy = engine.worker({ work: async () => (told(), await sleep(20), 1) });
  const idle = engine.worker({ other() {} });
  await started;
  await engine.close();
  await Promise.all([busy, idle]);
});

test('what is thrown may be anything', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const thrown = [
    undefined,
    null,
    'text',
    7,
    {},
    new Error(''),
    Object.assign(new Error('a\ud800'), { code: 7 }),
    2n,
  ];
  const serving = engine.worker({
    work: ({ input }) => {
      throw thrown[input.index];
    },
  });
  for (const index of thrown.keys()) {
    assert.equal((await engine.wait(await engine.start('one', { index }))).status, 'failed', String(index));
  }
  await engine.close();
  await serving;
});

test('cases are started and work is given back many at a time', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const started = await engine.startAll('one', [null, { n: 1 }, 'no object', null]);
  assert.equal(started[2].code, 'SW_INPUT');
  assert.deepEqual(
    started.map((one) => typeof one),
    ['string', 'string', 'object', 'string'],
  );
  const [first, second, third] = await engine.poll({ topics: ['work'], max: 10 });
  const refused = await engine.deliver([
    { item: first, result: 'first' },
    { item: second, failure: { message: 'it fell', code: 'broken', retryable: false } },
    { item: third },
    { item: first, result: 'again' },
  ]);
  assert.deepEqual(refused.slice(0, 3), [undefined, undefined, undefined]);
  assert.equal(refused[3].code, 'SW_STALE_ITEM');
  assert.equal(engine.case(first.case).result, 'first');
  assert.equal(engine.case(second.case).status, 'failed');
});

test('what is given back at the same time waits for the disk together, and each is told for itself', async (t) => {
  const engine = await onDisk(t);
  await engine.deploy(ONE_TASK);
  await engine.startAll('one', Array.from({ length: 200 }, (_, index) => ({ index })));
  const items = await engine.poll({ topics: ['work'], max: 200 });
  const [first, second] = items;
  const before = engine.stats().log;
  const deep = JSON.parse('['.repeat(127) + ']'.repeat(127)); // as deep as the library takes, if it is alone
  const given = await Promise.allSettled([
    first.complete('first'),
    first.complete('again'),
    second.fail({ message: 'it fell', code: 'E_FELL', retryable: false }),
    engine.item('no token').complete(null),
    items[2].complete(() => {}),
    ...items.slice(2).map((item) => item.complete(item.input.index)),
  ]);
  const after = engine.stats().log;
  assert.deepEqual(
    given.slice(0, 5).map(({ reason }) => reason?.code),
    [undefined, 'SW_STALE_ITEM', undefined, 'SW_UNKNOWN_ITEM', 'SW_NOT_REPRESENTABLE'],
  );
  assert.ok(given.slice(5).every(({ status }) => status === 'fulfilled'));
  assert.equal(engine.case(first.case).result, 'first');
  assert.equal(engine.case(second.case).error.code, 'E_FELL');
  assert.equal(engine.cases({ status: 'completed' }).toArray().length, 199);
  assert.equal(after.commits - before.commits, 200);
  assert.ok(after.syncs - before.syncs <= 10, `${after.syncs - before.syncs} syncs for 200 commits`);

  // One that the batch cannot carry does not take the others with it.
  const ids = await engine.startAll('one', [null, null]);
  const [one, other] = await engine.poll({ topics: ['work'], max: 2 });
  await Promise.all([one.complete(deep), other.complete('well')]);
  const results = ids.map((id) => JSON.stringify(engine.case(id).result)).sort();
  assert.deepEqual(results, ['"well"', JSON.stringify(deep)].sort());
});

test('cases that are started at the same time go to the library in one call, and each is told for itself', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  await engine.deploy(ONE_TASK.replace('one', 'other'));
  const [alone, together] = ['caseStartAsync', 'caseStartAllAsync'].map((name) => t.mock.method(native, name).mock);
  const given = await Promise.allSettled([
    engine.start('one', 'no object'),
    engine.start('one', null, { id: 'mine' }),
    engine.start('none'),
    engine.start('none'),
    engine.start('one', { n: () => {} }),
    engine.start('other', { n: -1 }),
    ...Array.from({ length: 100 }, (_, n) => engine.start('one', { n })),
    ...Array.from({ length: 100 }, (_, n) => engine.start('other', { n })),
  ]);
  assert.deepEqual(
    given.slice(0, 5).map(({ reason }) => reason?.code),
    ['SW_INPUT', undefined, 'SW_UNKNOWN_FLOW', 'SW_UNKNOWN_FLOW', 'SW_NOT_REPRESENTABLE'],
  );
  const ids = given.slice(5).map(({ value }) => value);
  assert.deepEqual(
    ids.map((id) => [engine.case(id).flow, engine.case(id).data.input.n]),
    [['other', -1], ...['one', 'other'].flatMap((flow) => Array.from({ length: 100 }, (_, n) => [flow, n]))],
  );
  assert.equal(engine.case('mine').flow, 'one');
  // One of each flow; with an id of its own, one is alone.
  assert.deepEqual([alone.callCount(), together.callCount()], [1, 3]);

  // One by one, each is a call of its own.
  for (const n of [1, 2, 3]) await engine.start('one', { n });
  assert.deepEqual([alone.callCount(), together.callCount()], [4, 3]);
});

test('what is started just before the engine is closed is there', async (t) => {
  const where = folder(t);
  const engine = await Engine.open(where);
  await engine.deploy(ONE_TASK);
  const given = [1, 2, 3].map((n) => engine.start('one', { n }));
  await engine.close();
  const ids = await Promise.all(given);
  const again = await Engine.open(where);
  t.after(() => again.close());
  assert.deepEqual(
    ids.map((id) => again.case(id).data.input.n),
    [1, 2, 3],
  );
});

test('what is given back just before the engine is closed is taken', async (t) => {
  const where = folder(t);
  const engine = await Engine.open(where);
  await engine.deploy(ONE_TASK);
  const ids = await engine.startAll('one', [null, null]);
  const items = await engine.poll({ topics: ['work'], max: 2 });
  const given = items.map((item) => item.complete('in time'));
  await engine.close();
  await Promise.all(given);
  const again = await Engine.open(where);
  t.after(() => again.close());
  assert.deepEqual(
    ids.map((id) => again.case(id).result),
    ['in time', 'in time'],
  );
});

test('a worker gives back together what ends together', async (t) => {
  const engine = await onDisk(t);
  await engine.deploy(ONE_TASK);
  const before = engine.stats().log;
  const ids = await engine.startAll('one', Array.from({ length: 128 }, (_, index) => ({ index })));
  let begun = 0;
  let open;
  const all = new Promise((resolve) => (open = resolve));
  const serving = engine.worker(
    {
      // Nobody ends before 64 have begun.
      work: async ({ input }) => {
        if (++begun === 64) open();
        await all;
        return input.index;
      },
    },
    { concurrency: 64 },
  );
  const states = await Promise.all(ids.map((id) => engine.wait(id)));
  assert.deepEqual(
    states.map(({ result }) => result),
    ids.map((_, index) => index),
  );
  const after = engine.stats().log;
  assert.ok(after.syncs - before.syncs < (after.commits - before.commits) / 4, JSON.stringify([before, after]));
  await engine.close();
  await serving;
});
