// What the tests share.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Engine } from '@statewright/node';

/** A folder for one test; it is removed after it. */
export function folder(t) {
  const made = mkdtempSync(join(tmpdir(), 'statewright-node-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return join(made, 'store');
}

/** An engine in memory for one test. */
export function memory(t, options) {
  const engine = Engine.memory(options);
  t.after(() => engine.close());
  return engine;
}

/** An engine on a folder of its own for one test. */
export async function onDisk(t, options) {
  const where = folder(t);
  const engine = await Engine.open(where, options);
  t.after(() => engine.close());
  return engine;
}

/** The call fails with this status, by throwing or by rejecting; gives the error. */
export async function fails(call, code) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.name, 'StatewrightError', error.stack);
    assert.equal(error.code, code, error.stack);
    assert.ok(error.message.length > 0);
    return error;
  }
  assert.fail(`no failure, where ${code} was expected`);
}

/** Runs a program of the folder `programs`; gives its exit code, signal and outputs. */
export function run(program, args = [], flags = []) {
  const file = fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, file, ...args], { timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, signal: error?.signal ?? null, stdout, stderr }),
    );
  });
}

/** The program ends well and prints this as its last line. */
export async function runs(program, args, last, flags) {
  const { code, signal, stdout, stderr } = await run(program, args, flags);
  assert.deepEqual(
    { code, signal, last: stdout.trim().split('\n').at(-1) },
    { code: 0, signal: null, last },
    stdout + stderr,
  );
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A flow of one host task on the topic `work`, whose result is that task's. */
export const ONE_TASK = `
name: one
version: 1
tasks:
  work: { kind: host, topic: work, input: .input, into: .done, retry: { attempts: 3, delay: 1ms } }
output: .done
`;
