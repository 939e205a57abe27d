// Keys, documents, spaces, lists; opening and closing.
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { Engine, Listing } from '@statewright/node';

import { fails, folder, memory, onDisk } from './support/help.mjs';

test('keys: put, get, overwrite, delete', async (t) => {
  const { kv } = memory(t);
  assert.equal(kv.get('a'), undefined);
  await kv.put('a', 1);
  await kv.put('a', { n: 2 });
  assert.deepEqual(kv.get('a'), { n: 2 });
  await kv.put('null', null);
  assert.equal(kv.get('null'), null);
  assert.equal(await kv.delete('a'), true);
  assert.equal(await kv.delete('a'), false);
  assert.equal(kv.get('a'), undefined);
});

test('a key of text and of its bytes are the same', async (t) => {
  const { kv } = memory(t);
  await kv.put('grüße', 1);
  assert.equal(kv.get(Buffer.from('grüße')), 1);
  const shared = new Uint8Array(new SharedArrayBuffer(1));
  await kv.put(shared, 2);
  assert.equal(kv.get(new Uint8Array([0])), 2);
});

test('bad keys are refused', async (t) => {
  const { kv, json } = memory(t);
  await fails(() => kv.get(''), 'SW_INVALID_KEY');
  await fails(() => kv.put('', 1), 'SW_INVALID_KEY');
  await fails(() => kv.get('a\ud800'), 'SW_INVALID_UTF8');
  await fails(() => kv.put('x'.repeat(100_000), 1), 'SW_TOO_LARGE');
  await fails(() => json.get('\udc00'), 'SW_INVALID_UTF8');
  for (const key of [1, null, undefined, {}, [1], new Uint16Array(1)]) {
    assert.throws(() => kv.get(key), TypeError);
    await assert.rejects(kv.put(key, 1), TypeError);
    assert.throws(() => json.get(key), TypeError);
  }
});

test('documents: create, set, get, remove, drop, version', async (t) => {
  const { json } = memory(t);
  assert.equal(json.get('d'), undefined);
  assert.equal(json.version('d'), undefined);
  await json.create('d', { lines: [{ price: 1 }], 'odd key': true });
  await fails(() => json.create('d', 1), 'SW_ALREADY_EXISTS');
  await json.set('d', '.lines[1]', { price: 2 });
  await json.set('d', '.new.path', 'x');
  assert.deepEqual(json.get('d'), {
    lines: [{ price: 1 }, { price: 2 }],
    'odd key': true,
    new: { path: 'x' },
  });
  assert.equal(json.get('d', '.lines[1].price'), 2);
  assert.equal(json.get('d', '."odd key"'), true);
  assert.equal(json.get('d', '.nothing'), undefined);
  const before = json.version('d');
  assert.equal(await json.remove('d', '.lines[0]'), true);
  assert.equal(await json.remove('d', '.lines[7]'), false);
  assert.equal(json.get('d', '.lines[0].price'), 2);
  assert.ok(json.version('d') > before);
  await json.set('d', '', [1]);
  assert.deepEqual(json.get('d'), [1]);
  assert.equal(await json.drop('d'), true);
  assert.equal(await json.drop('d'), false);
  await fails(() => json.set('d', '.a', 1), 'SW_NOT_FOUND');
  const error = await fails(() => json.get('d', '.a..b'), 'SW_INVALID_PATH');
  assert.equal(error.path, '.a..b');
});

test('wrong types in a document are refused and change nothing', async (t) => {
  const { json } = memory(t);
  await json.create('d', { a: 1, list: [1] });
  await fails(() => json.set('d', '.a.b', 1), 'SW_WRONG_TYPE');
  await fails(() => json.set('d', '.list[5]', 1), 'SW_INDEX_OUT_OF_RANGE');
  assert.deepEqual(json.get('d'), { a: 1, list: [1] });
});

test('spaces are apart', async (t) => {
  const engine = memory(t);
  const space = engine.space('tenant/app');
  await space.kv.put('k', 1);
  await space.json.create('d', {});
  assert.equal(engine.kv.get('k'), undefined);
  assert.equal(engine.json.get('d'), undefined);
  assert.equal(engine.space('tenant/app').kv.get('k'), 1);
  assert.equal(engine.space('default').kv.get('k'), undefined);
  await engine.kv.put('k', 2);
  assert.equal(engine.space('default').kv.get('k'), 2);
  await fails(() => engine.space('a//b').kv.get('k'), 'SW_INVALID_SPACE');
});

test('lists: order, prefix, after, limit, many pages, both ways of iterating', async (t) => {
  const engine = memory(t);
  const names = Array.from({ length: 700 }, (_, index) => `key/${String(index).padStart(4, '0')}`);
  await engine.transact((txn) => names.forEach((name, index) => txn.kv.put(name, index)));
  await engine.kv.put('other', true);
  const list = engine.kv.scan({ prefix: 'key/' });
  assert.ok(list instanceof Listing);
  assert.deepEqual(
    list.toArray(),
    names.map((name, index) => [name, index]),
  );
  assert.deepEqual(
    Array.from(list, ([key]) => key),
    names,
  );
  const awaited = [];
  for await (const [key] of list) awaited.push(key);
  assert.deepEqual(awaited, names);
  for (const limit of [0, 1, 255, 256, 257, 512, 700, 1000]) {
    assert.equal(
      engine.kv.scan({ prefix: 'key/', limit }).toArray().length,
      Math.min(limit, 700),
      `limit ${limit}`,
    );
  }
  const after = engine.kv.scan({ after: names[698], keys: 'bytes' }).toArray();
  assert.deepEqual(
    after.map(([key]) => Buffer.from(key).toString()),
    [names[699], 'other'],
  );
  for (const limit of [-1, 1.5, NaN, '1']) assert.throws(() => engine.kv.scan({ limit }), TypeError);
});

test('leaving a list early reads no more of it', async (t) => {
  const engine = memory(t);
  await engine.transact((txn) => {
    for (let index = 0; index < 1000; index++) txn.json.create(`d${index}`, index);
  });
  let seen = 0;
  for (const _ of engine.json.list()) if (++seen === 3) break;
  for await (const _ of engine.json.list()) if (++seen === 6) break;
  assert.equal(seen, 6);
  assert.deepEqual(engine.json.list({ prefix: 'd99', after: 'd990', limit: 2 }).toArray(), [
    ['d991', 991],
    ['d992', 992],
  ]);
});

test('a key that is not text is listed as bytes, or told', async (t) => {
  const { kv } = memory(t);
  await kv.put(new Uint8Array([255, 0]), 1);
  const error = await fails(() => kv.scan().toArray(), 'SW_INVALID_UTF8');
  assert.match(error.help, /bytes/);
  assert.deepEqual(kv.scan({ keys: 'bytes' }).toArray(), [[new Uint8Array([255, 0]), 1]]);
});

test('what was committed is there after opening again', async (t) => {
  const where = folder(t);
  const first = await Engine.open(where);
  assert.equal(first.stats().durability, 'strict');
  await first.kv.put('k', { big: 2n ** 63n });
  await first.json.create('d', { a: 1 });
  await first.close();
  const second = await Engine.open(where, { durability: 'buffered', syncIntervalMs: 5 });
  assert.equal(second.stats().durability, 'buffered');
  assert.deepEqual(second.kv.get('k'), { big: 2n ** 63n });
  assert.deepEqual(second.json.get('d'), { a: 1 });
  await second.kv.put('k', 2);
  await second.sync();
  const { version, durableVersion, log } = second.stats();
  assert.equal(durableVersion, version);
  assert.equal(typeof log.batchMax, 'number');
  await second.close();
});

test('opening says what is wrong', async (t) => {
  const where = folder(t);
  const engine = await Engine.open(where);
  await fails(() => Engine.open(where), 'SW_LOCKED');
  await engine.close();
  const again = await Engine.open(where);
  await again.close();

  const strange = folder(t);
  mkdirSync(strange);
  writeFileSync(`${strange}/notes.txt`, 'not a store');
  await fails(() => Engine.open(strange), 'SW_NOT_A_STORE');
  await fails(() => Engine.open(`${strange}/notes.txt/below`), 'SW_IO').catch((error) => {
    if (!/SW_NOT/.test(error.message)) throw error;
  });
  await assert.rejects(Engine.open(''), TypeError);
  await assert.rejects(Engine.open(undefined), TypeError);
  await assert.rejects(Engine.open(where, { durability: 'memory' }), TypeError);
  await assert.rejects(Engine.open(where, { workerThreads: -1 }), TypeError);
  await assert.rejects(Engine.open(where, { syncIntervalMs: -1 }), TypeError);
  await fails(() => Engine.open(where, { workerThreads: 100_000 }), 'SW_CONFIG').catch((error) => {
    if (!/SW_INVALID_ARGUMENT/.test(error.message)) throw error;
  });
});

test('a commit beyond the limit is refused', async (t) => {
  const engine = await Engine.open(folder(t), { maxCommitBytes: 1000 });
  assert.equal(engine.stats().settings.maxCommitBytes, 1000);
  await fails(() => engine.kv.put('k', 'x'.repeat(2000)), 'SW_FRAME_TOO_LARGE');
  await engine.kv.put('k', 'small');
  await engine.close();
  for (const maxCommitBytes of [-1, 1.5, '1', 2 ** 60]) {
    await assert.rejects(Engine.open(folder(t), { maxCommitBytes }), TypeError);
  }
});

test('closing is done once, and everything after it is refused', async (t) => {
  const engine = await Engine.open(folder(t));
  const { kv } = engine;
  const txn = engine.begin();
  const list = kv.scan();
  await Promise.all([engine.close(), engine.close()]);
  await engine.close();
  assert.equal(engine.isOpen, false);
  await fails(() => kv.get('a'), 'SW_CLOSED');
  await fails(() => kv.put('a', 1), 'SW_CLOSED');
  await fails(() => list.toArray(), 'SW_CLOSED');
  await fails(() => engine.begin(), 'SW_CLOSED');
  await fails(() => engine.start('flow'), 'SW_CLOSED');
  await fails(() => engine.wait('case'), 'SW_CLOSED');
  await fails(() => engine.poll({ topics: ['t'] }), 'SW_CLOSED');
  await fails(() => txn.kv.get('a'), 'SW_CLOSED');
  await fails(() => txn.commit(), 'SW_CLOSED');
});

test('engines can be disposed of', async (t) => {
  const where = folder(t);
  const engine = await Engine.open(where);
  engine[Symbol.dispose]();
  engine[Symbol.dispose]();
  const again = await Engine.open(where);
  await again[Symbol.asyncDispose]();
  await fails(() => again.stats(), 'SW_CLOSED');
});

test('a commit that waits for the disk runs on another thread, one in memory does not', async (t) => {
  const jobs = [];
  const hook = createHook({ init: (_, type) => void (type === 'statewright' && jobs.push(type)) });
  const disk = await onDisk(t);
  const inMemory = memory(t);
  hook.enable();
  await inMemory.kv.put('k', 1);
  await inMemory.transact((txn) => txn.kv.put('k', 2));
  inMemory.kv.get('k');
  disk.kv.get('k');
  const quick = jobs.length;
  await disk.kv.put('k', 1);
  await disk.transact((txn) => txn.kv.put('k', 2));
  hook.disable();
  assert.deepEqual([quick, jobs.length], [0, 2]);
});

test('many commits at the same time all happen', async (t) => {
  const engine = await onDisk(t);
  const writes = Array.from({ length: 300 }, (_, index) => engine.kv.put(`k${index}`, index));
  await Promise.all(writes);
  assert.equal(engine.kv.scan({ prefix: 'k' }).toArray().length, 300);
  const { log } = engine.stats();
  assert.ok(log.syncs <= log.commits, `${log.syncs} syncs for ${log.commits} commits`);
});
