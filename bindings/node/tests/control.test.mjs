// What is done to running cases from outside, and work by name.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WorkItem } from '@statewright/node';

import { fails, memory, sleep } from './support/help.mjs';

const DESK = `
name: desk
input: { sum: 120 }
tasks:
  begin: { split: and, next: [approve, paid] }
  approve: { kind: host, topic: office, input: .input.sum, into: .approved, next: done }
  paid: { kind: signal, into: .payment, next: done }
  done: { join: and }
`;

const SURVEY = `
name: survey
tasks:
  ask: { kind: host, topic: survey, many: { items: '["north", "south"]', add: true }, into: .answers }
output: .answers
`;

async function started(t, flow, name) {
  const engine = memory(t);
  await engine.deploy(flow);
  return { engine, id: await engine.start(name) };
}

test('a case is suspended, resumed, signalled, cancelled and terminated', async (t) => {
  const { engine, id } = await started(t, DESK, 'desk');
  await engine.suspend(id);
  assert.equal(engine.case(id).status, 'suspended');
  await fails(() => engine.suspend(id), 'SW_REFUSED');
  const lost = { outcome: 'dropped', case: null, task: null, reply: null, code: 'suspended' };
  assert.deepEqual(await engine.signal(id, 'paid', 12), lost);
  await engine.resume(id);
  await fails(() => engine.resume(id), 'SW_REFUSED');
  const taken = { outcome: 'taken', case: id, task: 'paid', reply: null, code: null };
  assert.deepEqual(await engine.signal(id, 'paid', { cents: 12 }), taken);
  assert.deepEqual(engine.case(id).data.payment, { cents: 12 });
  assert.equal((await engine.signalKey('paid', 'order-17')).code, 'nobody-waits');
  await fails(() => engine.signalKey('paid', ''), 'SW_INPUT');
  await engine.cancel(id, 'changed their mind');
  const ended = await engine.wait(id);
  assert.equal(ended.status, 'cancelled');
  assert.equal(ended.error.message, 'changed their mind');
  await fails(() => engine.cancel(id), 'SW_CASE_CLOSED');
  await fails(() => engine.signal(id, 'paid'), 'SW_CASE_CLOSED');
  await fails(() => engine.suspend('nobody'), 'SW_UNKNOWN_CASE');
  const other = await engine.start('desk');
  await engine.terminate(other);
  assert.equal(engine.case(other).status, 'terminated');
  assert.deepEqual(
    engine.cases({ status: 'terminated' }).toArray().map((state) => state.id),
    [other],
  );
});

test('a signal is checked and answered, and a case is asked', async (t) => {
  const bid = `
name: bid
tasks:
  bid: { kind: signal, schema: { type: integer }, reply: '{double: (.bid * 2)}', next: wait }
  wait: { kind: signal }
`;
  const { engine, id } = await started(t, bid, 'bid');
  await fails(() => engine.signal(id, 'bid', 'much'), 'SW_REFUSED');
  assert.deepEqual(await engine.signal(id, 'bid', 21), {
    outcome: 'taken',
    case: id,
    task: 'bid',
    reply: { double: 42 },
    code: null,
  });
  assert.deepEqual(engine.query(id, '{bid, of: $flow.name}'), { bid: 21, of: 'bid' });
  await fails(() => engine.query(id, '.bid |'), 'SW_EXPRESSION');
  await fails(() => engine.query(id, '.bid | error'), 'SW_REFUSED');
  await fails(() => engine.query('nobody', '.'), 'SW_UNKNOWN_CASE');
  assert.equal((await engine.signal(id, 'wait')).reply, null);
  assert.equal(engine.query(id, '.bid'), 21);
});

test('schedules are listed, paused and resumed', async (t) => {
  const engine = memory(t);
  assert.deepEqual(engine.schedules(), []);
  await engine.deploy(`
name: report
schedule: { cron: '0 9 1 1 *', zone: Europe/Berlin, overlap: queue }
tasks:
  a: { kind: set, set: { .x: 1 } }
`);
  const next = engine.upcoming('report', 3);
  assert.ok(next.length === 3 && next[0] > new Date() && next[2] > next[1] && next[0].getUTCHours() === 8);
  const [yearly] = engine.schedules();
  assert.deepEqual(yearly, {
    flow: 'report',
    when: '0 9 1 1 * Europe/Berlin',
    overlap: 'queue',
    next: next[0],
    last: null,
    paused: false,
    case: null,
    queued: null,
    started: 0,
    skipped: 0,
    missed: 0,
  });
  await engine.pauseSchedule('report');
  await fails(() => engine.pauseSchedule('report'), 'SW_REFUSED');
  assert.deepEqual([engine.schedules()[0].paused, engine.schedules()[0].next], [true, null]);
  assert.deepEqual(engine.upcoming('report'), []);
  await engine.resumeSchedule('report');
  await fails(() => engine.resumeSchedule('report'), 'SW_REFUSED');
  assert.deepEqual(engine.schedules(), [yearly]);
  await fails(() => engine.upcoming('other'), 'SW_UNKNOWN_FLOW');
  await fails(() => engine.pauseSchedule('other'), 'SW_UNKNOWN_FLOW');
  await fails(() => engine.upcoming('report', 1001), 'SW_INVALID_ARGUMENT');
});

test('a scheduled case begins by itself', async (t) => {
  const engine = memory(t);
  const tasks = 'tasks:\n  a: { kind: set, set: { .x: 1 } }\n';
  await engine.deploy(`name: tick\nschedule: { every: 1s, overlap: allow }\n${tasks}`);
  while (engine.schedules()[0].started === 0) await sleep(10);
  const [tick] = engine.schedules();
  assert.ok(tick.last instanceof Date);
  assert.equal((await engine.wait(tick.case)).status, 'completed');
});

test('tasks are cancelled, completed and given instances', async (t) => {
  const { engine, id } = await started(t, SURVEY, 'survey');
  await engine.addInstances(id, 'ask', ['west']);
  const offered = engine.work({ topic: 'survey', state: 'offered' }).toArray();
  assert.equal(offered.length, 3);
  await fails(() => engine.addInstances(id, 'ask', []), 'SW_INPUT');
  await fails(() => engine.addInstances(id, 'ask', 'west'), 'SW_WRONG_TYPE');
  const item = await engine.take(id, offered[2].item, { worker: 'ann', leaseMs: 60_000 });
  assert.ok(item instanceof WorkItem);
  assert.equal(item.input, 'west');
  await item.complete('yes');
  await engine.completeTask(id, 'ask');
  assert.deepEqual((await engine.wait(id)).result, ['yes']);
  const other = await engine.start('survey');
  await fails(() => engine.cancelTask(other, 'nothing'), 'SW_REFUSED');
  await engine.cancelTask(other, 'ask');
  assert.equal((await engine.wait(other)).status, 'completed');
});

test('people list, take, delegate, give back and skip work', async (t) => {
  const { engine, id } = await started(t, DESK, 'desk');
  const [offered] = engine.work({ case: id }).toArray();
  assert.deepEqual(
    [offered.task, offered.topic, offered.state, offered.worker, offered.token, offered.input],
    ['approve', 'office', 'offered', null, null, null],
  );
  assert.ok(offered.since instanceof Date);
  const mine = await engine.take(id, offered.item, { worker: 'ann' });
  assert.deepEqual([mine.input, mine.leaseUntil], [120, null]);
  await fails(() => engine.take(id, offered.item, { worker: 'bob' }), 'SW_REFUSED');
  await fails(() => engine.take(id, 99, { worker: 'bob' }), 'SW_UNKNOWN_ITEM');
  const theirs = await mine.delegate('bob', { leaseMs: 60_000 });
  await fails(() => mine.complete(true), 'SW_STALE_ITEM');
  const [held] = await Array.fromAsync?.(engine.work({ worker: 'bob' })) ?? engine.work({ worker: 'bob' }).toArray();
  assert.equal(held.token, theirs.token);
  assert.ok(held.until > Date.now());
  await engine.item(held.token).giveBack();
  await fails(() => theirs.giveBack(), 'SW_STALE_ITEM');
  await engine.skip(id, offered.item, 'signed on paper');
  await fails(() => engine.skip(id, offered.item), 'SW_UNKNOWN_ITEM');
  assert.deepEqual(engine.work().toArray(), []);
  await fails(() => engine.work({ state: 'lost' }).toArray(), 'SW_INVALID_ARGUMENT');
  await engine.signal(id, 'paid');
  const { data, status } = await engine.wait(id);
  assert.equal(status, 'completed');
  assert.deepEqual(data, { input: { sum: 120 }, payment: null });
});

test('cases are moved to another version and back, and undone', async (t) => {
  const engine = memory(t);
  const first = `
name: order
version: 1
tasks:
  pay: { kind: host, compensate: refund, next: ship }
  ship: { kind: host }
  refund: { kind: host }
`;
  const second = first.replace('version: 1', 'version: 2').replaceAll('ship', 'send');
  await engine.deploy(first);
  const id = await engine.start('order');
  const [item] = await engine.poll({ topics: ['pay'] });
  await item.complete('paid');
  assert.equal((await engine.plan(second)).cases[0].reasons.length, 1);
  const options = { renames: { ship: 'send' } };
  assert.deepEqual((await engine.plan(second, options)).cases[0].reasons, []);
  const done = await engine.migrate(second, { ...options, cohort: 10 });
  assert.deepEqual([done.moved.length, done.left.length, done.version], [1, 0, 2]);
  assert.equal(engine.case(id).version, 2);
  const [flow] = await engine.versions();
  assert.deepEqual(flow.versions.map((of) => [of.version, of.newest, of.open]), [[1, false, 0], [2, true, 1]]);
  assert.equal((await engine.undoMigration(done.id)).moved.length, 1);
  assert.equal(engine.case(id).version, 1);
  await fails(() => engine.migrate(second, { renames: { pay: 'nothing' } }), 'SW_INPUT');
  await fails(() => engine.undoMigration('nothing'), 'SW_INPUT');
  await fails(() => engine.fork(id, 1), 'SW_REFUSED');
  await engine.compensate(id, 'not wanted');
  const [refund] = await engine.poll({ topics: ['refund'] });
  await refund.complete();
  assert.equal((await engine.wait(id)).status, 'compensated');
});
