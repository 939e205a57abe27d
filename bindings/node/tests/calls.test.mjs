// Calls as data.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { operations } from '@statewright/node';

import { fails, memory } from './support/help.mjs';

test('calls are one commit or nothing', async (t) => {
  const engine = memory(t);
  const { results, version } = await engine.call(
    { op: 'kv.put', key: 'n', value: 41 },
    { op: 'event.append', stream: 's', type: 't', payload: { a: 1 } },
    { op: 'run.create', id: 'r', tags: ['x'] },
  );
  assert.deepEqual([results.length, results[2], version], [3, 'r', 1]);
  assert.deepEqual((await engine.call({ op: 'kv.increment', key: 'n' })).results, [42]);
  const tired = { op: 'run.set_status', id: 'r', status: 'tired' };
  await fails(() => engine.call({ op: 'kv.put', key: 'n', value: 0 }, tired), 'SW_INVALID_CALL');
  assert.equal(engine.kv.get('n'), 42);
});

test('what was there once is restored with its times and ids', async (t) => {
  const engine = memory(t);
  const time = 1_767_225_600_000_001n; // a Date has no microseconds
  await engine.call(
    { op: 'event.restore', stream: 's', sequence: 0, time, type: 'placed', payload: { id: 17 } },
    { op: 'trace.restore', id: 't1', time, type: 'tool_call', payload: 1, tags: ['slow'] },
    { op: 'run.restore', id: 'r', status: 'completed', created: time, updated: time, tags: ['nightly'] },
  );
  const at = new Date(1_767_225_600_000);
  assert.deepEqual(engine.events('s').get(0).time, at);
  assert.deepEqual(engine.traces.get('t1').time, at);
  const { status, created, tags } = engine.runs.get('r');
  assert.deepEqual({ status, created, tags }, { status: 'completed', created: at, tags: ['nightly'] });
  const { results } = await engine.call({ op: 'event.get', stream: 's', sequence: 0 });
  assert.equal(BigInt(results[0].time), time);
  // What is there already must be the same.
  const other = { op: 'event.restore', stream: 's', sequence: 0, time, type: 'placed', payload: { id: 18 } };
  await fails(() => engine.call(other), 'SW_CANNOT_RESTORE');
});

test('a transaction takes calls, too', async (t) => {
  const engine = memory(t);
  const txn = engine.begin();
  assert.equal(txn.call({ op: 'kv.put', key: 'k', value: { a: [1] } }), true);
  await fails(() => txn.call({ op: 'kv.put', key: 'k', valeu: 1 }), 'SW_INVALID_CALL');
  assert.deepEqual(txn.call({ op: 'kv.get', key: 'k' }).value, { a: [1] });
  await txn.commit();
  assert.deepEqual(engine.kv.get('k'), { a: [1] });
});

test('the operations are listed with what they take', () => {
  const put = operations().find((operation) => operation.name === 'kv.put');
  assert.deepEqual(put.required, ['key', 'value']);
});
