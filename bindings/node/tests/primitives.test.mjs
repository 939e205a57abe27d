// All six primitives, on an engine and in transactions; lists of any length; savepoints; what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Engine, Extended } from '@statewright/node';

import { fails, memory, onDisk } from './support/help.mjs';

test('kv: everything beyond get, put and delete', async (t) => {
  const { kv } = memory(t);
  await kv.put('k', 1);
  assert.equal(kv.has('k'), true);
  assert.deepEqual(kv.getMany(['k', 'none']), [1, undefined]);
  const { version } = kv.entry('k');
  await kv.putIfVersion('k', version, 2);
  await fails(() => kv.putIfVersion('k', version, 3), 'SW_VERSION_MISMATCH');
  assert.deepEqual([await kv.putIfAbsent('k', 9), await kv.putIfAbsent('n', null)], [false, true]);
  await kv.cas('k', 2, { a: 1 });
  await kv.cas('n', null, 'was null');
  await kv.cas('new', undefined, 1);
  await fails(() => kv.cas('new', undefined, 1), 'SW_VALUE_MISMATCH');
  await fails(() => kv.cas('absent', null, 1), 'SW_VALUE_MISMATCH');
  assert.deepEqual([await kv.swap('k', 5), await kv.swap('s', 'a')], [{ a: 1 }, undefined]);
  assert.deepEqual([await kv.increment('k'), await kv.increment('c', -2, 10)], [6, 8]);
  assert.equal(String(await kv.increment('d', Extended.of('decimal', '0.10'))), '0.10');
  await kv.append('s', 'b', ', ');
  await kv.extend('list', [1, 2]);
  await kv.merge('list', [3], 'concatenate');
  assert.deepEqual([kv.get('s'), kv.get('list')], ['a, b', [1, 2, 3]]);
  await kv.put('late', 1, { ttlMs: 3600_000 });
  assert.ok(kv.entry('late').expires > new Date());
  await kv.put('gone', 1, { expires: new Date(0) });
  assert.equal(kv.get('gone'), undefined);
  await kv.purge();
  assert.equal(kv.count('l'), 2);
  await fails(() => kv.increment('s'), 'SW_WRONG_TYPE');
  await kv.put('full', 2n ** 64n - 1n);
  await fails(() => kv.increment('full'), 'SW_ARITHMETIC');
  await fails(() => kv.put('k', undefined), 'SW_INVALID_ARGUMENT');
  await fails(() => kv.swap('k', undefined), 'SW_INVALID_ARGUMENT');
  await fails(() => kv.merge('k', 1, 'magic'), 'SW_INVALID_CALL');
  assert.equal(kv.get('k'), 6);
});

test('kv: scans both ways, by bytes, and in one state', async (t) => {
  const { kv } = memory(t);
  for (let n = 0; n < 700; n++) await kv.put(`k${String(n).padStart(3, '0')}`, n);
  await kv.put(new Uint8Array([0xff, 0]), 1);
  const keys = (options) => kv.scan(options).toArray().map(([key]) => key);
  assert.deepEqual(keys({ prefix: 'k69', limit: 2 }), ['k690', 'k691']);
  assert.deepEqual(keys({ prefix: 'k', reverse: true, limit: 2 }), ['k699', 'k698']);
  assert.deepEqual(keys({ prefix: 'k', reverse: true, after: 'k001' }), ['k000']);
  assert.deepEqual(keys({ after: 'k698', keys: 'bytes' }).at(-1), new Uint8Array([255, 0]));
  let seen = 0;
  for await (const [key] of kv.scan({ prefix: 'k' })) {
    seen += 1;
    await kv.put(`k9${key}`, 0);
  }
  assert.equal(seen, 700);
});

test('kv: pages of large values are bounded by bytes', async (t) => {
  const { kv } = memory(t);
  const large = 'x'.repeat(400_000);
  for (let n = 0; n < 10; n++) await kv.put(`k${n}`, large);
  let count = 0;
  for await (const [, value] of kv.scan()) count += value === large ? 1 : 0;
  assert.equal(count, 10);
});

test('a list ends when its signal is aborted, or its engine closed', async (t) => {
  const engine = memory(t);
  for (let n = 0; n < 600; n++) await engine.kv.put(`k${n}`, n);
  const stop = new AbortController();
  let seen = 0;
  const walk = async () => {
    for await (const _ of engine.kv.scan({ signal: stop.signal })) if (++seen === 10) stop.abort();
  };
  await assert.rejects(walk, { name: 'AbortError' });
  assert.ok(seen < 600, `${seen}`);
  assert.throws(() => engine.kv.scan({ signal: AbortSignal.abort('gone') }).toArray(), (e) => e === 'gone');
  const iterator = engine.kv.scan()[Symbol.iterator]();
  iterator.next();
  await engine.close();
  const rest = () => [...{ [Symbol.iterator]: () => iterator }];
  await fails(rest, 'SW_CLOSED');
  await fails(() => engine.kv.scan().toArray(), 'SW_CLOSED');
});

test('json: every operation', async (t) => {
  const { json } = memory(t);
  await json.create('d', { n: 1, list: [1, 2, 3], t: 'a' });
  assert.deepEqual([json.has('d'), json.has('e')], [true, false]);
  assert.deepEqual([json.kind('d', '.list'), json.size('d', '.list'), json.keys('d')], ['array', 3, ['n', 'list', 't']]);
  assert.equal(json.kind('d', '.none'), undefined);
  const version = json.version('d');
  await json.set('d', '.o.x', 1, { ifVersion: version });
  await fails(() => json.set('d', '.o.x', 2, { ifVersion: version }), 'SW_VERSION_MISMATCH');
  await json.patch('d', [{ op: 'replace', path: '/n', value: 2 }]);
  await fails(() => json.patch('d', [{ op: 'test', path: '/n', value: 3 }]), 'SW_PATCH_FAILED');
  await json.merge('d', { o: { x: null, y: 2 } });
  await json.merge('d', { z: 1 }, { path: '.o', strategy: 'deep' });
  await json.push('d', '.list', 4, 5);
  assert.equal(await json.pop('d', '.list'), 5);
  await json.insert('d', '.list[0]', 0);
  await json.moveItem('d', '.list', 0, 4);
  await json.move('d', '.t', '.o.t');
  assert.equal(await json.increment('d', '.n', 1.5), 3.5);
  await json.append('d', '.o.t', 'b', '+');
  assert.deepEqual(json.get('d'), { n: 3.5, list: [1, 2, 3, 4, 0], o: { y: 2, z: 1, t: 'a+b' } });
  assert.deepEqual([json.count(), json.list({ prefix: 'd' }).toArray().length], [1, 1]);
  await fails(() => json.push('d', '.n', 1), 'SW_WRONG_TYPE');
  await fails(() => json.push('none', '', 1), 'SW_NOT_FOUND');
});

test('events: a stream grows, is read in every way, and verified', async (t) => {
  const engine = memory(t);
  const orders = engine.events('orders');
  assert.deepEqual([orders.length, orders.head(), orders.verify()], [0, undefined, undefined]);
  assert.equal(await orders.append('placed', { id: 1 }), 0);
  for (let n = 1; n < 600; n++) assert.equal(await orders.append(n % 2 ? 'paid' : 'placed', { id: n }), n);
  assert.deepEqual(orders.get(0).payload, { id: 1 });
  assert.ok(orders.get(0).time instanceof Date);
  assert.equal(orders.get(600), undefined);
  assert.equal(orders.head().sequence, 599);
  assert.deepEqual([orders.length, orders.types()], [600, ['paid', 'placed']]);
  let next = 0;
  for await (const event of orders.read()) assert.equal(event.sequence, next++);
  assert.equal(next, 600);
  const sequences = (list) => list.toArray().map((event) => event.sequence);
  assert.deepEqual(sequences(orders.read({ from: 3, to: 5 })), [3, 4]);
  assert.deepEqual(sequences(orders.read({ reverse: true, limit: 2 })), [599, 598]);
  assert.equal(sequences(orders.byType('paid')).length, 300);
  assert.equal(sequences(orders.byTime({ since: new Date(0), until: new Date(Date.now() + 1e6) })).length, 600);
  assert.deepEqual(sequences(orders.byTime({ until: new Date(0) })), []);
  assert.equal(orders.verify().len, 600);
  await engine.events('other').append('t', {});
  assert.deepEqual(engine.streams().toArray().map((stream) => stream.name), ['orders', 'other']);
  await fails(() => orders.append('t', [1]), 'SW_WRONG_TYPE');
  await fails(() => orders.append('', {}), 'SW_INVALID_NAME');
  await fails(() => engine.events('').append('t', {}), 'SW_INVALID_NAME');
});

test('cells: by version', async (t) => {
  const { cells } = memory(t);
  await cells.init('phase', 'draft');
  await fails(() => cells.init('phase', 'again'), 'SW_ALREADY_EXISTS');
  const { value, version } = cells.get('phase');
  assert.equal(value, 'draft');
  await cells.cas('phase', version, 'review');
  await fails(() => cells.cas('phase', version, 'lost'), 'SW_VERSION_MISMATCH');
  await cells.cas('new', undefined, 1);
  assert.equal(await cells.getOrInit('other', 7), 7);
  await cells.set('other', 8);
  assert.deepEqual(cells.list().toArray().map(([name, cell]) => [name, cell.value]), [['new', 1], ['other', 8], ['phase', 'review']]);
  assert.deepEqual([await cells.delete('new'), await cells.delete('new'), cells.get('new')], [true, false, undefined]);
});

test('traces: trees, and lists by type, tag, parent and time', async (t) => {
  const { traces } = memory(t);
  const plan = await traces.record('decision', { use: 'search' });
  for (let n = 0; n < 300; n++) await traces.record('tool_call', n, { parent: plan, tags: ['slow'], id: `c${1000 + n}` });
  assert.deepEqual(traces.get(plan).payload, { use: 'search' });
  assert.equal(traces.get('none'), undefined);
  const tree = traces.tree(plan);
  assert.deepEqual([tree.length, tree[0].depth, tree[300].depth, tree[300].trace.parent], [301, 0, 1, plan]);
  const ids = (options) => traces.list(options).toArray().map((trace) => trace.id);
  assert.equal(ids().length, 301);
  assert.deepEqual(ids({ roots: true }), [plan]);
  assert.equal(ids({ type: 'tool_call' }).length, 300);
  assert.deepEqual(ids({ tag: 'slow', after: 'c1297' }), ['c1298', 'c1299']);
  assert.equal(ids({ parent: plan, limit: 260 }).length, 260);
  assert.deepEqual(ids({ until: new Date(0) }), []);
  assert.equal(traces.count(), 301);
  assert.throws(() => traces.list({ tag: 'a', type: 'b' }), TypeError);
  await fails(() => traces.record('t', 1, { parent: 'none' }), 'SW_NOT_FOUND');
  await fails(() => traces.record('t', 1, { id: plan }), 'SW_ALREADY_EXISTS');
});

test('runs: status, tags, metadata, forks and their difference', async (t) => {
  const engine = memory(t);
  const { runs } = engine;
  const id = await runs.create({ id: 'import-1', tags: ['nightly'], metadata: { rows: 1 } });
  await engine.space(runs.get(id).space).kv.put('rows', 17);
  assert.equal(await runs.fork(id, { id: 'import-2' }), 'import-2');
  await engine.space(runs.get('import-2').space).kv.put('rows', 18);
  assert.deepEqual(runs.diff(id, 'import-2'), [{ primitive: 'kv', place: 'kv/rows', before: 17, after: 18 }]);
  await runs.setMetadata(id, '.rows', 2);
  await runs.removeMetadata(id, '.none');
  assert.deepEqual([await runs.addTag(id, 'x'), await runs.addTag(id, 'x'), await runs.removeTag(id, 'x')], [true, false, true]);
  await runs.setStatus(id, 'completed');
  const refused = await fails(() => runs.setStatus(id, 'active'), 'SW_ILLEGAL_TRANSITION');
  assert.match(refused.message, /archived/);
  const { status, tags, metadata, updated } = runs.get(id);
  assert.deepEqual([status, tags, metadata, updated instanceof Date], ['completed', ['nightly'], { rows: 2 }, true]);
  const ids = (options) => runs.list(options).toArray().map((run) => run.id);
  assert.deepEqual([ids(), ids({ status: 'completed' }), ids({ parent: id })], [['import-1', 'import-2'], [id], ['import-2']]);
  assert.deepEqual([ids({ tag: 'nightly' }), ids({ roots: true })], [[id], [id]]);
  await fails(() => runs.delete(id), 'SW_HAS_CHILDREN');
  assert.deepEqual([await runs.delete(id, { cascade: true }), runs.count()], [2, 0]);
});

test('spaces: listed, counted, copied, removed', async (t) => {
  const { spaces, ...engine } = { spaces: memory(t).spaces };
  assert.deepEqual([spaces.list().toArray(), engine], [[], {}]);
  const other = memory(t);
  await other.space('a/b').kv.put('k', 1);
  await other.space('a/b').events('s').append('t', {});
  await other.spaces.copy('a/b', 'c');
  await fails(() => other.spaces.copy('a/b', 'c'), 'SW_ALREADY_EXISTS');
  assert.deepEqual(other.spaces.list().toArray(), ['a/b', 'c']);
  assert.deepEqual(other.spaces.list({ prefix: 'a' }).toArray(), ['a/b']);
  const { keys, streams, runs } = other.spaces.info('c');
  assert.deepEqual([keys, streams, runs], [1, 1, 0]);
  assert.deepEqual([await other.spaces.delete('c'), other.spaces.has('c'), other.spaces.has('a/b')], [true, false, true]);
});

test('spaces: an empty name is the default one, and what is wrong rejects', async (t) => {
  const engine = memory(t);
  const { kv, spaces } = engine;
  await engine.space('a').kv.put('k', 1);
  await spaces.copy('a', '');
  assert.equal(kv.get('k'), 1);
  await assert.rejects(spaces.copy('a', 7), TypeError);
  await assert.rejects(spaces.delete(undefined), TypeError);
});

test('a transaction has all primitives, at once, and savepoints', async (t) => {
  const engine = memory(t);
  await engine.transact((txn) => {
    txn.kv.put('k', 1);
    assert.equal(txn.kv.increment('k'), undefined);
    txn.json.create('d', { n: 1 });
    txn.json.increment('d', '.n', 2);
    assert.equal(txn.events('s').append('t', { a: 1 }), undefined);
    txn.cells.set('c', 'x');
    const trace = txn.traces.record('t', null);
    txn.runs.create({ id: 'r', metadata: { trace } });
    txn.space('other').kv.put('k', 2);
    const mark = txn.savepoint();
    txn.kv.put('k', 'undone');
    txn.events('s').append('undone', {});
    mark.rollback();
    const inner = txn.savepoint();
    mark.release();
    assert.throws(() => inner.rollback(), { code: 'SW_UNKNOWN_SAVEPOINT' });
    assert.equal(txn.kv.get('k'), 2);
    assert.deepEqual(txn.kv.scan().toArray(), [['k', 2]]);
    assert.equal(engine.kv.get('k'), undefined);
  });
  assert.equal(engine.kv.get('k'), 2);
  assert.equal(engine.json.get('d', '.n'), 3);
  assert.equal(engine.events('s').length, 1);
  assert.equal(engine.cells.get('c').value, 'x');
  assert.equal(engine.traces.count(), 1);
  assert.equal(engine.runs.get('r').status, 'active');
  assert.equal(engine.space('other').kv.get('k'), 2);
});

test('isolation: weak reads fail at once, others at commit', async (t) => {
  const engine = memory(t);
  await engine.kv.put('k', 1);
  const weak = engine.begin({ isolation: 'weak' });
  await engine.kv.put('k', 2);
  await fails(() => weak.kv.get('k'), 'SW_CONFLICT');
  weak.rollback();
  await fails(() => weak.kv.scan().toArray(), 'SW_TXN_CLOSED');
  await fails(() => weak.savepoint(), 'SW_TXN_CLOSED');
  assert.throws(() => engine.begin({ isolation: 'none' }), TypeError);
});

test('a scan of a transaction ends with it', async (t) => {
  const engine = memory(t);
  for (let n = 0; n < 300; n++) await engine.kv.put(`k${n}`, n);
  const txn = engine.begin();
  const iterator = txn.kv.scan()[Symbol.iterator]();
  iterator.next();
  txn.rollback();
  await fails(() => [...{ [Symbol.iterator]: () => iterator }], 'SW_CLOSED');
});

test('the past of a key tells when it was to expire, and many keys are read by their bytes', async (t) => {
  const { kv } = await onDisk(t);
  const expires = new Date(Date.now() + 60_000);
  await kv.put('k', 1, { expires });
  await kv.put('k', 2);
  assert.deepEqual(
    kv.history('k').map(({ value, expires }) => [value, expires]),
    [
      [2, undefined],
      [1, expires],
    ],
  );
  await kv.put(new Uint8Array([0xff]), 3);
  assert.deepEqual(kv.getMany(['k', new Uint8Array([0xff]), 'none']), [2, 3, undefined]);
});

test('the past: history, and what was there at a version', async (t) => {
  const engine = await onDisk(t);
  await engine.kv.put('k', 1);
  await engine.kv.put('k', 2);
  await engine.kv.delete('k');
  const [last, before, first] = engine.kv.history('k');
  assert.deepEqual([last.removed, before.value, first.value, first.time instanceof Date], [true, 2, 1, true]);
  assert.equal(engine.kv.getAt('k', first.version).value, 1);
  await engine.json.create('d', 1);
  await engine.cells.set('c', 1);
  assert.deepEqual([engine.json.history('d').length, engine.cells.history('c').length], [1, 1]);
  assert.equal(engine.json.getAt('d', 1), undefined);
  const { version } = engine.cells.get('c');
  await engine.cells.set('c', 2);
  assert.equal(engine.cells.getAt('c', version).value, 1);
  const inMemory = Engine.memory();
  t.after(() => inMemory.close());
  await fails(() => inMemory.kv.history('k'), 'SW_NO_HISTORY');
  const txn = engine.begin();
  await fails(() => txn.kv.history('k'), 'SW_INVALID_CALL');
  txn.rollback();
  assert.ok(engine.stats().log.bytesPerCommit > 0);
  assert.ok(Array.isArray(engine.stats().log.batchSizes));
});

test('a condition that is given and is none is refused, and nothing is written', async (t) => {
  const engine = memory(t);
  const { kv, json } = engine;
  await kv.put('k', 1);
  await json.create('d', 1);
  for (const nothing of [undefined, null]) {
    await assert.rejects(kv.putIfVersion('k', nothing, 2), TypeError);
    await assert.rejects(json.set('d', '', 2, { ifVersion: nothing }), TypeError);
    // As it is written by mistake: what is not there has no version.
    await assert.rejects(json.set('d', '', 2, { ifVersion: json.version('absent') }), TypeError);
    const txn = engine.begin();
    assert.throws(() => txn.kv.putIfVersion('k', nothing, 2), TypeError);
    assert.throws(() => txn.json.set('d', '', 2, { ifVersion: nothing }), TypeError);
    txn.rollback();
  }
  assert.deepEqual([kv.get('k'), json.get('d')], [1, 1]);
  await json.set('d', '', 2, {});
  assert.equal(json.get('d'), 2);
});

test('times are exact to the millisecond, in any century', async (t) => {
  const { kv } = memory(t);
  for (const expires of [new Date('2255-06-06T00:00:00.001Z'), new Date('2300-01-01'), new Date(8.64e15)]) {
    await kv.put('k', 1, { expires });
    assert.deepEqual(kv.entry('k').expires, expires);
  }
  const events = memory(t).events('s');
  await events.append('t', {});
  const span = { since: new Date(0), until: new Date(8.64e15) };
  assert.equal(events.byTime(span).toArray().length, 1);
});

test('how long a key is there is a number of milliseconds, or refused', async (t) => {
  const { kv } = memory(t);
  await kv.put('k', 1, { ttlMs: 59_999.1 });
  assert.ok(kv.entry('k').expires > Date.now() + 50_000);
  for (const ttlMs of [null, NaN, -1, '5', Infinity]) {
    await assert.rejects(kv.put('k', 2, { ttlMs }), TypeError);
  }
  await assert.rejects(kv.put('k', 2, { ttlMs: 1, expires: new Date() }), TypeError);
  assert.equal(kv.get('k'), 1);
});

test('a payload of an event is the same in a transaction', async (t) => {
  const engine = memory(t);
  const payload = { mark: '\ufeff' + 'x'.repeat(300), price: Extended.of('decimal', '12.50'), n: 2n ** 60n };
  await engine.events('s').append('t', payload);
  await engine.transact((txn) => txn.events('s').append('t', payload));
  const [alone, together] = engine.events('s').read().toArray();
  assert.deepEqual(together.payload, alone.payload);
  assert.equal(together.payload.mark, payload.mark);
  await fails(() => engine.transact((txn) => txn.events('s').append('t', undefined)), 'SW_INVALID_ARGUMENT');
});
