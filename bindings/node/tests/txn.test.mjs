// Transactions.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Engine } from '@statewright/node';

import { fails, memory, onDisk } from './support/help.mjs';

test('a transaction sees its own writes, and nobody else does before it commits', async (t) => {
  const engine = memory(t);
  await engine.kv.put('a', 1);
  const txn = engine.begin();
  txn.kv.put('a', 2);
  txn.kv.put('b', 3);
  txn.json.create('d', { x: 1 });
  txn.json.set('d', '.y', 2);
  assert.equal(txn.json.remove('d', '.x'), true);
  assert.equal(txn.kv.get('a'), 2);
  assert.deepEqual(txn.json.get('d'), { y: 2 });
  assert.deepEqual(txn.kv.scan().toArray(), [
    ['a', 2],
    ['b', 3],
  ]);
  assert.deepEqual(txn.json.list().toArray(), [['d', { y: 2 }]]);
  for await (const [key, value] of txn.json.list({ prefix: 'd' }))
    assert.deepEqual([key, value], ['d', { y: 2 }]);
  assert.equal(engine.kv.get('a'), 1);
  assert.equal(engine.json.get('d'), undefined);
  const version = await txn.commit();
  assert.equal(engine.kv.get('a'), 2);
  assert.deepEqual(engine.json.get('d'), { y: 2 });
  assert.equal(engine.json.version('d'), version);
});

test('a transaction reads the state as it was when it began', async (t) => {
  const engine = memory(t);
  await engine.kv.put('a', 1);
  const txn = engine.begin();
  await engine.kv.put('a', 2);
  assert.equal(txn.kv.get('a'), 1);
  txn.rollback();
  assert.equal(engine.kv.get('a'), 2);
});

test('rolling back leaves nothing, and ends the transaction', async (t) => {
  const engine = memory(t);
  const txn = engine.begin();
  txn.space('other').kv.put('a', 1);
  assert.equal(txn.active, true);
  txn.rollback();
  txn.rollback();
  assert.equal(txn.active, false);
  assert.equal(engine.space('other').kv.get('a'), undefined);
  await fails(() => txn.kv.put('a', 1), 'SW_TXN_CLOSED');
  await fails(() => txn.json.get('a'), 'SW_TXN_CLOSED');
  await fails(() => txn.commit(), 'SW_TXN_CLOSED');
  const other = engine.begin();
  other.kv.put('a', 1);
  other[Symbol.dispose]();
  assert.equal(engine.kv.get('a'), undefined);
  assert.equal(engine.stats().transactions, 0);
});

test('changes of one place conflict, of two places do not', async (t) => {
  const engine = await onDisk(t);
  await engine.json.create('d', { a: 1, b: 1 });
  const [first, second, third] = [engine.begin(), engine.begin(), engine.begin()];
  first.json.set('d', '.a', 2);
  second.json.set('d', '.b', 2);
  third.json.set('d', '.a', 3);
  await first.commit();
  await second.commit();
  const error = await fails(() => third.commit(), 'SW_CONFLICT');
  assert.deepEqual([error.status, error.retryable, error.path], [400, true, 'default/json/d .a']);
  assert.deepEqual(engine.json.get('d'), { a: 2, b: 2 });
  assert.equal(third.active, false);
});

test('isolation: what was only read matters to serializable, not to snapshot', async (t) => {
  for (const [isolation, conflicts] of [
    ['serializable', true],
    ['snapshot', false],
  ]) {
    const engine = memory(t);
    await engine.kv.put('a', 1);
    const txn = engine.begin({ isolation });
    txn.kv.put('b', txn.kv.get('a'));
    await engine.kv.put('a', 2);
    if (conflicts) await fails(() => txn.commit(), 'SW_CONFLICT');
    else await txn.commit();
  }
  assert.throws(() => memory(t).begin({ isolation: 'none' }), TypeError);
});

test('isolation: two that change the same conflict in any of them', async (t) => {
  const engine = memory(t);
  for (const isolation of ['serializable', 'snapshot', 'weak']) {
    await engine.kv.put('a', 1);
    const txn = engine.begin({ isolation });
    await engine.kv.put('a', 2);
    if (isolation === 'weak') await fails(() => txn.kv.get('a'), 'SW_CONFLICT');
    else assert.equal(txn.kv.get('a'), 1);
    txn.kv.put('a', 3);
    await fails(() => txn.commit(), 'SW_CONFLICT');
    assert.equal(engine.kv.get('a'), 2);
  }
});

test('transact runs again until it commits', async (t) => {
  for (const engine of [memory(t), await onDisk(t)]) {
    await engine.json.create('counter', { n: 0 });
    let runs = 0;
    const add = async () =>
      engine.transact(
        async (txn) => {
          runs++;
          const n = txn.json.get('counter', '.n');
          await new Promise(setImmediate);
          txn.json.set('counter', '.n', n + 1);
          return n;
        },
        { attempts: 1000 },
      );
    const seen = await Promise.all(Array.from({ length: 20 }, add));
    assert.equal(engine.json.get('counter', '.n'), 20);
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, index) => index),
    );
    assert.ok(runs > 20, `${runs} runs: there were conflicts`);
    assert.equal(engine.stats().transactions, 0);
  }
});

test('transact gives up after so many attempts', async (t) => {
  const engine = memory(t);
  await engine.kv.put('a', 0);
  let runs = 0;
  const contended = async (txn) => {
    runs++;
    txn.kv.put('a', txn.kv.get('a') + 1);
    await engine.kv.put('a', 100);
  };
  await fails(() => engine.transact(contended, { attempts: 3 }), 'SW_CONFLICT');
  assert.equal(runs, 3);
  assert.equal(engine.stats().transactions, 0);
  await assert.rejects(engine.transact(contended, { attempts: 0 }), TypeError);
});

test('what the work throws rolls back and is thrown on, and is not tried again', async (t) => {
  const engine = memory(t);
  const mine = new Error('mine');
  let runs = 0;
  const work = (txn) => {
    runs++;
    txn.kv.put('a', 1);
    throw mine;
  };
  await assert.rejects(engine.transact(work), (error) => error === mine);
  await fails(() => engine.transact((txn) => txn.json.set('none', '.a', 1)), 'SW_NOT_FOUND');
  assert.equal(runs, 1);
  assert.equal(engine.kv.get('a'), undefined);
  assert.equal(engine.stats().transactions, 0);
});

test('work may end its transaction itself', async (t) => {
  const engine = memory(t);
  assert.equal(await engine.transact((txn) => (txn.rollback(), 'rolled back')), 'rolled back');
  await engine.transact(async (txn) => {
    txn.kv.put('a', 1);
    await txn.commit();
  });
  assert.equal(engine.kv.get('a'), 1);
});

test('an aborted signal ends the trying', async (t) => {
  const engine = memory(t);
  const stop = new AbortController();
  let runs = 0;
  const contended = async (txn) => {
    txn.kv.put('a', txn.kv.get('a') ?? 0);
    await engine.kv.put('a', runs++);
    if (runs === 3) stop.abort(new Error('enough'));
  };
  await assert.rejects(engine.transact(contended, { signal: stop.signal, attempts: 1000 }), /enough/);
  assert.equal(runs, 3);
});

test('a transaction keeps what it needs when its engine is closed first', async () => {
  const engine = Engine.memory();
  const txn = engine.begin();
  txn.kv.put('a', 1);
  await engine.close();
  await fails(() => txn.kv.get('a'), 'SW_CLOSED');
  txn.rollback();
});
