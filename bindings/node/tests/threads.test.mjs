// Worker threads, and how processes end.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { Engine } from '@statewright/node';

import { fails, folder, memory, run, runs } from './support/help.mjs';

const PACKAGE = new URL('../index.mjs', import.meta.url).href;

/** Runs the text as a module in a thread, with `data`; gives what it exits with. */
function thread(text, data) {
  const source = `import { workerData } from 'node:worker_threads'; import { Engine } from '${PACKAGE}'; ${text}`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: data,
  });
  return new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
}

test('threads that are terminated under load harm nothing', async (t) => {
  const where = folder(t);
  mkdirSync(where);
  await runs('terminate.mjs', ['20', where], 'survived 20');
});

test('several threads use one engine by its handle', async (t) => {
  const engine = memory(t);
  await engine.json.create('counter', { n: 0 });
  const counting = `
    const engine = Engine.attach(workerData);
    for (let turn = 0; turn < 100; turn++) {
      await engine.transact((txn) => txn.json.set('counter', '.n', txn.json.get('counter', '.n') + 1), { attempts: 1000 });
    }
    await engine.close();
  `;
  const codes = await Promise.all([1, 2, 3].map(() => thread(counting, engine.handle)));
  assert.deepEqual(codes, [0, 0, 0]);
  assert.equal(engine.json.get('counter', '.n'), 300);
  await fails(() => Engine.attach(12345n), 'SW_MISUSE');
  assert.throws(() => Engine.attach('1'), TypeError);
});

test('a thread that ends lets go of what it had open', async (t) => {
  const where = folder(t);
  const code = await thread(
    "const engine = await Engine.open(workerData); await engine.kv.put('k', 1); engine.begin();",
    where,
  );
  assert.equal(code, 0);
  const engine = await Engine.open(where);
  assert.equal(engine.kv.get('k'), 1);
  await engine.close();
});

test('an error in a thread is its own', async () => {
  await assert.rejects(thread("Engine.memory().kv.get('');"), { code: 'SW_INVALID_KEY' });
});

test('neither an open engine nor an idle queue keeps the process', (t) =>
  runs('ends.mjs', ['open', folder(t)], 'open'));

test('a pending wait keeps the process', () => runs('ends.mjs', ['pending'], 'completed'));

test('a process can exit in the midst of everything', async (t) => {
  const where = folder(t);
  for (let round = 0; round < 5; round++) await runs('ends.mjs', ['exit', where], 'exit');
});

test('an unhandled rejection ends the process as any other does', async () => {
  const { code, signal, stdout, stderr } = await run('ends.mjs', ['unhandled']);
  assert.deepEqual([code, signal, stdout], [1, null, '']);
  assert.match(stderr, /StatewrightError: .*none/);
  assert.match(stderr, /SW_UNKNOWN_CASE/);
});

test('what a callback throws ends the process as any other does', async () => {
  const { code, signal, stdout, stderr } = await run('ends.mjs', ['thrown']);
  assert.deepEqual([code, signal, stdout], [1, null, '']);
  assert.match(stderr, /thrown in a callback/);
});
