// Options: one that does not exist would be none, and nobody would be told.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { answer, Document, Engine, Query, Schema, testFlow } from '@statewright/node';

import { folder, memory, ONE_TASK } from './support/help.mjs';

/** Everything that takes options, with options that it does not know. */
const calls = (engine, txn, item, where) => ({
  open: (o) => Engine.open(where, o),
  memory: (o) => Engine.memory(o),
  begin: (o) => engine.begin(o),
  transact: (o) => engine.transact(() => engine.kv.put('written', 1), o),
  'kv.put': (o) => engine.kv.put('written', 1, o),
  'kv.put in a transaction': (o) => txn.kv.put('written', 1, o),
  'kv.scan': (o) => engine.kv.scan(o),
  'kv.scan in a transaction': (o) => txn.kv.scan(o),
  'json.list': (o) => engine.json.list(o),
  'json.set': (o) => engine.json.set('written', '', 1, o),
  'json.merge': (o) => engine.json.merge('written', 1, o),
  'events.read': (o) => engine.events('e').read(o),
  'events.byType': (o) => engine.events('e').byType('t', o),
  'events.byTime': (o) => engine.events('e').byTime(o),
  streams: (o) => engine.streams(o),
  'streams in a transaction': (o) => txn.streams(o),
  'spaces.list': (o) => engine.spaces.list(o),
  'cells.list': (o) => engine.cells.list(o),
  'traces.record': (o) => engine.traces.record('t', 1, o),
  'traces.list': (o) => engine.traces.list(o),
  'runs.create': (o) => engine.runs.create(o),
  'runs.fork': (o) => engine.runs.fork('r', o),
  'runs.delete': (o) => engine.runs.delete('r', o),
  'runs.list': (o) => engine.runs.list(o),
  deploy: (o) => engine.deploy(ONE_TASK, o),
  start: (o) => engine.start('one', {}, o),
  cases: (o) => engine.cases(o),
  history: (o) => engine.history('c', o),
  wait: (o) => engine.wait('c', o),
  plan: (o) => engine.plan(ONE_TASK, o),
  migrate: (o) => engine.migrate(ONE_TASK, o),
  fork: (o) => engine.fork('c', 1, o),
  work: (o) => engine.work(o),
  take: (o) => engine.take('c', 1, { worker: 'w', ...o }),
  poll: (o) => engine.poll({ topics: ['work'], ...o }),
  items: (o) => engine.items({ topics: ['work'], ...o }).next(),
  worker: (o) => engine.worker({ work: () => 1 }, o),
  deliver: (o) => engine.deliver([{ item, ...o }]),
  'item.delegate': (o) => item.delegate('w', o),
  testFlow: (o) => testFlow({ flow: ONE_TASK, tests: [], ...o }),
  'answer.fail': (o) => answer.fail('code', o),
  'Document.fromJSON': (o) => Document.fromJSON('1', o),
  'Document.fromMsgpack': (o) => Document.fromMsgpack(Uint8Array.of(1), o),
  'Document.fromCBOR': (o) => Document.fromCBOR(Uint8Array.of(1), o),
  'Document.fromPacked': (o) => Document.fromPacked(Uint8Array.of(1), o),
  'document.json': (o) => Document.of({}).json(o),
  'document.cbor': (o) => Document.of({}).cbor(o),
  'document.merge': (o) => Document.of({}).merge({}, o),
  'Schema.compile': (o) => Schema.compile({}, o),
  'Query.parse': (o) => Query.parse('.a', o),
});

test('options that do not exist are refused, and nothing is done', async (t) => {
  const engine = memory(t);
  const txn = engine.begin();
  t.after(() => txn.rollback());
  const before = engine.stats().version;
  for (const [name, call] of Object.entries(calls(engine, txn, engine.item('token'), folder(t)))) {
    const told = { name: 'TypeError', message: /^there is no option `nope`, but / };
    await assert.rejects(async () => call({ nope: undefined }), told, name);
  }
  assert.equal(engine.stats().version, before);
  assert.equal(txn.kv.has('written'), false);
});

test('a list refuses the options of another one', async (t) => {
  const engine = memory(t);
  const since = new Date(0);
  for (const call of [
    () => engine.kv.scan({ since }),
    () => engine.json.list({ reverse: true }),
    () => engine.events('e').read({ prefix: 'p' }),
    () => engine.events('e').byType('t', { to: 3 }),
    () => engine.events('e').byTime({ from: 3 }),
    () => engine.cells.list({ tag: 't' }),
    () => engine.traces.list({ status: 'active' }),
    () => engine.runs.list({ type: 't' }),
  ]) {
    assert.throws(call, TypeError, String(call));
  }
});

test('options that are no object are refused', async (t) => {
  const engine = memory(t);
  for (const options of ['prefix', null, 1]) {
    assert.throws(() => engine.kv.scan(options), TypeError);
    await assert.rejects(engine.start('one', {}, options), TypeError);
    await assert.rejects(engine.wait('c', options), TypeError);
  }
});
