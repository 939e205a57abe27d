// Tests of flows in a simulated world, for any test runner.

import { AssertionError } from 'node:assert';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { native } from './addon';
import { attempt, translated } from './errors';
import { known } from './state';
import { decode, encode, type Storable } from './values';

/** A worker's answer: a value, or what {@link answer} gives. */
export type FlowTestAnswer = Storable;

/**
 * What is done to a case and what is expected of it; `docs/TESTING.md` says what the fields mean. Only the name is
 * required: the case is then to complete with no tokens left, in whatever order its work is done.
 */
export interface FlowTest {
  name: string;
  input?: Storable;
  /** What workers answer by task, one for each attempt, the last again and again; without it `null`. */
  results?: Record<string, readonly FlowTestAnswer[]>;
  /** Steps that come from outside at any time. */
  outside?: readonly string[];
  /** Steps in this order, instead of all orders. */
  script?: readonly string[];
  status?: string | readonly string[];
  result?: Storable;
  error?: string;
  marking?: Record<string, number>;
  /** How often tasks complete: a number, or least and most. */
  counts?: Record<string, number | readonly [number, number]>;
  before?: string | readonly string[];
  exclusive?: string | readonly string[];
  traces?: string | readonly string[];
  history?: string | readonly string[];
  cases?: number;
  /** jq that is true after every event. */
  always?: string | readonly string[];
  /** jq that is false after every event. */
  never?: string | readonly string[];
}

/** A flow and its tests, and how they are run. */
export interface FlowTestOptions {
  /** The flow's text; or `file`, whose folder is `$flow.dir`. */
  flow?: string;
  file?: string;
  /** Texts of flows that are deployed first, for it to call. */
  with?: readonly string[];
  /** The tests; or `testsFile`, the file they are in. */
  tests?: readonly FlowTest[];
  testsFile?: string;
  /** Random orders, 100 unless told otherwise, beside the straight run and the one with power cuts. */
  runs?: number;
  /** The seed of the first of them. */
  seed?: number;
  /** `false` leaves out the runs in which the power is cut. */
  powerCuts?: boolean;
  /** The name of the one test to run. */
  only?: string;
}

/** What came of a test that passed. */
export interface FlowTestReport {
  test: string;
  runs: number;
  /** In how many different orders tasks completed. */
  orders: number;
}

interface Failure {
  way: 'straight' | 'power-cuts' | 'random';
  seed: number | null;
  what: string;
  expected: string;
  found: string;
  steps: string[];
  first: number;
  text: string;
}

type Reported = { test: string } & ({ passed: true; runs: number; orders: number } | { passed: false; failure: Failure });

/** A test of a flow that failed: an `AssertionError`, so that every test runner shows what was expected and found. */
export class FlowTestError extends AssertionError {
  /** The test's name. */
  readonly test: string;
  /** How it was run. */
  readonly way: 'straight' | 'power-cuts' | 'random';
  /** The seed of a random order, to run it again: `{ seed, runs: 1 }`. */
  readonly seed: number | null;
  /** What happened, one event each: the shortest run that was found to fail like this. */
  readonly steps: readonly string[];

  constructor(test: string, failure: Failure) {
    const { text, found: actual, expected } = failure;
    super({ message: text, actual, expected, operator: 'testFlow' });
    this.test = test;
    this.way = failure.way;
    this.seed = failure.seed;
    this.steps = failure.steps;
  }
}

/** Answers of workers that are no plain values. */
export const answer = {
  /** The attempt failed, with this code. */
  fail(code: string, options: { message?: string; retryable?: boolean } = {}): FlowTestAnswer {
    return { $fail: { code, message: code, ...known(options, 'message', 'retryable') } };
  },

  /** The worker dies with its work. */
  never(): FlowTestAnswer {
    return { $never: true };
  },

  /** The worker takes its time, such as `'2h'`, and then gives a value or fails. */
  after(time: string, then: FlowTestAnswer): FlowTestAnswer {
    const fails = typeof then === 'object' && then !== null && '$fail' in then;
    return fails ? { $after: time, ...then } : { $after: time, $result: then };
  },
};

/** The tests as the library prints values: it has JSON for more than `JSON.stringify` has. */
const asText = (tests: readonly FlowTest[]): string => attempt(() => native.msgpackToJson(encode({ tests }), 0));

/**
 * Runs the tests of a flow in a simulated world: work is answered as the tests say, time is set and never waited for,
 * the power is cut after every event, and events come in every order that the flow allows. Works with every test
 * runner; no engine is needed.
 *
 * Rejects with a {@link FlowTestError} for the first test that failed, and with a `StatewrightError` of code
 * `SW_INVALID_SPEC` if the tests cannot be read.
 */
export async function testFlow(options: FlowTestOptions): Promise<FlowTestReport[]> {
  known(options, 'flow', 'file', 'with', 'tests', 'testsFile', 'runs', 'seed', 'powerCuts', 'only');
  const { file, testsFile, runs, seed, only } = options;
  const flow = file === undefined ? options.flow : await readFile(file, 'utf8');
  if (flow === undefined) throw new TypeError('testFlow needs a `flow` or a `file`');
  const tests = testsFile === undefined ? asText(options.tests ?? []) : await readFile(testsFile, 'utf8');
  const given = encode({
    runs,
    seed,
    only,
    power_cuts: options.powerCuts,
    dir: file === undefined ? undefined : dirname(resolve(file)),
    with: options.with,
  }).slice();
  const bytes = await native
    .flowTestAsync(flow, tests, given)
    .catch((error: unknown) => Promise.reject(translated(error)));
  const reports = decode(bytes) as unknown as Reported[];
  return reports.map((report) => {
    if (!report.passed) throw new FlowTestError(report.test, report.failure);
    const { test, runs, orders } = report;
    return { test, runs, orders };
  });
}
