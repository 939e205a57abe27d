// Flows and cases.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { Engine, check } from '@statewright/node';

import { ONE_TASK, fails, folder, memory, sleep } from './support/help.mjs';

const GREET = `
name: greet
version: 1
input: { name: nobody }
tasks:
  hello: { kind: set, set: { .text: '"hello \\(.input.name)"' } }
output: .text
`;

test('a case runs to its end', async (t) => {
  const engine = memory(t);
  const { name, version, key } = await engine.deploy(GREET);
  assert.deepEqual([name, version, typeof key], ['greet', 1, 'string']);
  const id = await engine.start('greet', { name: 'Ada' });
  const state = await engine.wait(id);
  assert.deepEqual([state.id, state.flow, state.version, state.status], [id, 'greet', 1, 'completed']);
  assert.equal(state.result, 'hello Ada');
  assert.equal(state.error, null);
  assert.ok(state.created instanceof Date && Math.abs(state.created - Date.now()) < 60_000);
  assert.deepEqual(engine.case(id), state);
  assert.equal((await engine.wait(await engine.start('greet'))).result, 'hello nobody');
});

test('a case has the id it is given, once', async (t) => {
  const engine = memory(t);
  await engine.deploy(GREET);
  assert.equal(await engine.start('greet', {}, { id: 'mine' }), 'mine');
  await fails(() => engine.start('greet', {}, { id: 'mine' }), 'SW_CASE_EXISTS');
});

test('large integers and bytes pass through a case', async (t) => {
  const engine = memory(t);
  await engine.deploy(
    'name: through\nversion: 1\ntasks:\n  keep: { kind: set, set: { .kept: .input } }\noutput: .kept\n',
  );
  const input = { big: 2n ** 64n - 1n, safe: 2 ** 40, list: [-(2n ** 63n)] };
  const { result } = await engine.wait(await engine.start('through', input));
  assert.deepEqual(result, input);
});

test('a failing case tells why', async (t) => {
  const engine = memory(t);
  await engine.deploy(
    'name: bad\nversion: 1\ntasks:\n  break: { kind: set, set: { .x: \'error("broken")\' } }\n',
  );
  const state = await engine.wait(await engine.start('bad'));
  assert.equal(state.status, 'failed');
  assert.match(JSON.stringify(state.error), /broken/);
});

test('every mistake of a flow is told with its place', async (t) => {
  const problems = check(
    'name: x\nversion: 1\ntasks:\n  a: { kind: nope }\n  b: { kind: set, set: { .x: "(" } }\n',
  );
  assert.ok(problems.length >= 2);
  for (const { line, column, severity, code, message, help } of problems) {
    assert.ok(line >= 1 && column >= 1);
    assert.equal(severity, 'error');
    for (const said of [code, message, help]) assert.equal(typeof said, 'string');
  }
  assert.deepEqual(check(GREET), []);
  const engine = memory(t);
  const error = await fails(() => engine.deploy('name: 3'), 'SW_INVALID_SPEC');
  assert.match(error.message, /1:7/);
  await fails(() => engine.deploy('a: \ud800'), 'SW_INVALID_UTF8');
  await assert.rejects(engine.deploy(undefined), TypeError);
});

test('a flow from a file knows its folder', async (t) => {
  const where = folder(t);
  mkdirSync(where);
  writeFileSync(
    `${where}/here.yaml`,
    "name: here\nversion: 1\ntasks:\n  say: { kind: set, set: { .dir: '$flow.dir' } }\noutput: .dir\n",
  );
  const engine = memory(t);
  await engine.deployFile(`${where}/here.yaml`);
  assert.equal((await engine.wait(await engine.start('here'))).result, where);
  await assert.rejects(engine.deployFile(`${where}/none.yaml`), { code: 'ENOENT' });
});

test('what there is not is refused', async (t) => {
  const engine = memory(t);
  await fails(() => engine.start('none'), 'SW_UNKNOWN_FLOW');
  for (const call of ['case', 'explain', 'wait']) await fails(() => engine[call]('none'), 'SW_UNKNOWN_CASE');
  await fails(() => engine.history('none').toArray(), 'SW_UNKNOWN_CASE');
  await fails(() => engine.cases({ status: 'odd' }).toArray(), 'SW_INVALID_ARGUMENT');
});

test('cases are listed by flow and status, in pages', async (t) => {
  const engine = memory(t);
  await engine.deploy(GREET);
  await engine.deploy(ONE_TASK);
  const ids = [];
  for (let index = 0; index < 300; index++) ids.push(await engine.start('greet'));
  const waiting = await engine.start('one');
  await Promise.all(ids.map((id) => engine.wait(id)));
  const all = Array.from(engine.cases(), ({ id }) => id);
  assert.deepEqual(all, [...ids, waiting].sort());
  const awaited = [];
  for await (const { id } of engine.cases({ flow: 'greet', status: 'completed' })) awaited.push(id);
  assert.deepEqual(awaited, [...ids].sort());
  assert.deepEqual(
    Array.from(engine.cases({ status: 'running' }), ({ id }) => id),
    [waiting],
  );
  assert.deepEqual(
    Array.from(engine.cases({ after: all[297], limit: 2 }), ({ id }) => id),
    all.slice(298, 300),
  );
});

test('a waiting case explains itself, and its history tells what happened', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const id = await engine.start('one', { n: 1 });
  const [why] = engine.explain(id);
  assert.equal(why.task, 'work');
  assert.ok(why.since instanceof Date);
  assert.match(why.unblocks, /poll topic/);
  const [item] = await engine.poll({ topics: ['work'] });
  await item.complete('done');
  await engine.wait(id);
  const events = engine.history(id).toArray();
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );
  assert.equal(events[0].event, 'case_started');
  assert.equal(events.at(-1).event, 'case_completed');
  assert.ok(events.every(({ at, case: of }) => at instanceof Date && of === id));
  const later = [];
  for await (const event of engine.history(id, { after: 2 })) later.push(event);
  assert.deepEqual(later, events.slice(2));
  assert.deepEqual(engine.explain(id), []);
});

test('waiting can time out, and be aborted before and meanwhile', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const id = await engine.start('one');
  const began = performance.now();
  await fails(() => engine.wait(id, { timeoutMs: 30 }), 'SW_TIMEOUT');
  assert.ok(performance.now() - began >= 25);
  await fails(() => engine.wait(id, { timeoutMs: 0 }), 'SW_TIMEOUT');
  for (const timeoutMs of [-1, NaN, '1', 2 ** 31, Infinity]) {
    await assert.rejects(engine.wait(id, { timeoutMs }), TypeError);
  }

  const reason = new Error('not wanted any more');
  await assert.rejects(engine.wait(id, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  const stop = new AbortController();
  const waiting = engine.wait(id, { signal: stop.signal });
  setTimeout(() => stop.abort(reason), 10);
  await assert.rejects(waiting, (error) => error === reason);
  const plain = new AbortController();
  setTimeout(() => plain.abort(), 10);
  await assert.rejects(engine.wait(id, { signal: plain.signal, timeoutMs: 10_000 }), { name: 'AbortError' });
  await assert.rejects(engine.wait(id, { signal: AbortSignal.timeout(10) }), { name: 'TimeoutError' });
});

test('many operations may share a signal', async (t) => {
  const engine = memory(t);
  await engine.deploy(ONE_TASK);
  const id = await engine.start('one');
  const warned = [];
  const note = (warning) => warned.push(warning.name);
  process.on('warning', note);
  const stop = new AbortController();
  const waits = Array.from({ length: 50 }, () =>
    assert.rejects(engine.wait(id, { signal: stop.signal }), { name: 'AbortError' }),
  );
  await sleep(10);
  stop.abort();
  await Promise.all(waits);
  process.off('warning', note);
  assert.deepEqual(warned, []);
});

test('aborting after the end does nothing', async (t) => {
  const engine = memory(t);
  await engine.deploy(GREET);
  const id = await engine.start('greet');
  const stop = new AbortController();
  const state = await engine.wait(id, { signal: stop.signal, timeoutMs: 5 });
  stop.abort();
  await sleep(10);
  assert.equal(state.status, 'completed');
});

test('closing ends every wait', async () => {
  const engine = Engine.memory();
  await engine.deploy(ONE_TASK);
  const id = await engine.start('one');
  const waits = Array.from({ length: 50 }, () => fails(() => engine.wait(id), 'SW_CLOSED'));
  const polls = Array.from({ length: 50 }, () =>
    fails(() => engine.poll({ topics: ['other'] }), 'SW_CLOSED'),
  );
  await engine.close();
  await Promise.all([...waits, ...polls]);
});

test('a thousand waits at the same time', async (t) => {
  const engine = memory(t);
  await engine.deploy(GREET);
  const names = Array.from({ length: 1000 }, (_, index) => `n${index}`);
  const results = await Promise.all(
    names.map(async (name) => engine.wait(await engine.start('greet', { name }))),
  );
  assert.deepEqual(
    results.map(({ result }) => result),
    names.map((name) => `hello ${name}`),
  );
});

test('an engine that does not drive leaves its cases where they are', async (t) => {
  const engine = memory(t, { drive: false });
  await engine.deploy(ONE_TASK);
  const id = await engine.start('one');
  await fails(() => engine.wait(id, { timeoutMs: 50 }), 'SW_TIMEOUT');
  assert.equal(engine.case(id).status, 'running');
});

test('a case goes on after its store was closed and opened', async (t) => {
  const where = folder(t);
  const first = await Engine.open(where);
  await first.deploy(ONE_TASK);
  const id = await first.start('one', { n: 1 });
  await first.close();
  const second = await Engine.open(where);
  const serving = second.worker({ work: ({ input }) => input.n + 1 });
  assert.equal((await second.wait(id)).result, 2);
  await second.close();
  await serving;
});
