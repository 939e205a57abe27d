// The completion queue, below the idiomatic layer.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { ONE_TASK, memory } from './support/help.mjs';

const native = createRequire(import.meta.url)('../build/statewright.node');

test('a batch of completions costs one wake-up', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const id = await engine.start('one');
  const batches = [];
  const { cq, hold, release } = native.queueOpen((completions) => batches.push(completions));
  const ops = Array.from({ length: 1000 }, () => native.caseWait(engine.handle, id, cq, 0n));
  hold();
  const [item] = await engine.poll({ topics: ['work'] });
  const completed = item.complete('done');
  await new Promise(process.nextTick); // it is handed in at the end of the turn
  // While this thread is busy, completions gather.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  await completed;
  while (batches.flat().length < ops.length) await new Promise(setImmediate);
  release();
  assert.deepEqual(new Set(batches.flat().map(({ op }) => op)), new Set(ops));
  assert.ok(batches.flat().every(({ result, error }) => result instanceof Uint8Array && error === undefined));
  assert.ok(batches.length <= 100, `${batches.length} wake-ups for ${ops.length} completions`);
  native.cqClose(cq);
});

test('each operation completes once, also when it is cancelled twice', async (t) => {
  const engine = memory(t);
  const done = [];
  const { cq, hold, release } = native.queueOpen((completions) => done.push(...completions));
  const topics = new Uint8Array([0x91, 0xa1, 0x74]); // ["t"]
  const ops = Array.from({ length: 100 }, () =>
    native.workPoll(engine.handle, topics, 'me', 1, 10n ** 9n, cq, 7n),
  );
  hold();
  for (const op of [...ops, ...ops]) native.opCancel(cq, op);
  while (done.length < ops.length) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 20));
  release();
  assert.deepEqual(done.map(({ op }) => op).sort(), ops.sort());
  assert.ok(done.every(({ error }) => error.code === 'SW_CANCELLED' && error.status === 111));
  assert.throws(() => native.opCancel(cq, 10n ** 9n), { code: 'SW_INVALID_ARGUMENT' });
  native.cqClose(cq);
  assert.throws(() => native.opCancel(cq, ops[0]), { code: 'SW_MISUSE' });
});

test('what is no function is refused', () => {
  assert.throws(() => native.queueOpen(), TypeError);
  assert.throws(() => native.queueOpen({}), TypeError);
});
