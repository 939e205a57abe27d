// Flows in a simulated world.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { FlowTestError, answer, testFlow } from '@statewright/node';

import { fails } from './support/help.mjs';

const ORDER = `
name: order
tasks:
  charge: { kind: host, timeout: 30m, retry: { attempts: 2, delay: 2h }, next: ship }
  ship: { kind: host }
`;
const PATTERNS = fileURLToPath(new URL('../../../examples/patterns/', import.meta.url));

test('a flow in all its orders', async () => {
  const reports = await testFlow({
    flow: ORDER,
    runs: 30,
    tests: [
      {
        name: 'the second try is good',
        results: { charge: [answer.fail('declined'), { paid: true }] },
        counts: { charge: 1, ship: [1, 1] },
        before: 'charge ship',
        history: ['attempt_failed charge', 'retry_scheduled charge', 'completed ship'],
        always: '.done.ship == 0 or .data.charge.paid',
      },
      { name: 'nobody answers', results: { charge: [answer.never()] }, status: 'failed', error: 'timeout' },
      {
        name: 'it is declined for good, late',
        results: { charge: [answer.after('10m', answer.fail('expired', { retryable: false }))] },
        status: 'failed',
        error: 'expired',
      },
      {
        name: 'step by step',
        results: { charge: [answer.fail('declined'), answer.after('90s', { paid: true })] },
        script: ['do charge', 'offered', 'tick 2h', 'start charge', 'tick 90s', 'complete charge', 'do ship'],
      },
    ],
  });
  assert.deepEqual(reports.map(({ test, runs }) => [test, runs]), [
    ['the second try is good', 32],
    ['nobody answers', 32],
    ['it is declined for good, late', 32],
    ['step by step', 2],
  ]);
});

test('answers and results may be what JavaScript has no JSON for', async () => {
  const big = { n: 2n ** 60n };
  const flow = 'name: one\ntasks: { a: { kind: host, into: .a } }\noutput: .a';
  const test = { name: 'big', results: { a: [big] }, result: big, never: undefined };
  assert.equal((await testFlow({ flow, runs: 1, tests: [test] })).length, 1);
  await assert.rejects(testFlow({ flow, tests: [{ ...test, result: { n: 2n ** 60n + 1n } }] }), FlowTestError);
});

test('tests in a file', async () => {
  const files = { file: `${PATTERNS}16-deferred-choice.yaml`, testsFile: `${PATTERNS}16-deferred-choice.test.toml` };
  const reports = await testFlow({ ...files, runs: 20 });
  assert.ok(reports.length > 0 && reports.some(({ orders }) => orders > 1));
});

test('a failure is an assertion error with what happened', async () => {
  const failing = { name: 'n', never: '.done.ship > 0' };
  const error = await testFlow({ flow: ORDER, tests: [failing], runs: 0 }).catch((e) => e);
  assert.ok(error instanceof FlowTestError && error instanceof assert.AssertionError);
  assert.deepEqual([error.test, error.way, error.seed], ['n', 'straight', null]);
  assert.equal(error.expected, 'never .done.ship > 0');
  assert.match(error.message, /ship completes/);
  assert.ok(error.steps.length > 3);
});

test('tests that cannot be read', async () => {
  await fails(() => testFlow({ flow: ORDER, tests: [{ nam: 'n' }] }), 'SW_INVALID_SPEC');
  await fails(() => testFlow({ flow: ORDER, tests: [{ name: 'n' }], only: 'm' }), 'SW_INVALID_ARGUMENT');
  await assert.rejects(testFlow({ tests: [] }), TypeError);
});
