// The package as others see it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as module from '@statewright/node';

import { folder, runs } from './support/help.mjs';

const require = createRequire(import.meta.url);
const ROOT = fileURLToPath(new URL('..', import.meta.url));

test('import and require give the same classes', () => {
  const required = require('@statewright/node');
  assert.deepEqual(Object.keys(module).sort(), Object.keys(required).sort());
  for (const [name, value] of Object.entries(module)) assert.equal(required[name], value, name);
});

test('the version is that of the package', () => {
  assert.equal(module.version(), require('@statewright/node/package.json').version);
});

test('the lock file names no registry', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(lock, /"resolved"/);
});

test('the program in the README works', (t) => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const program = /```js\n([^]*?)```/.exec(readme)[1].replace("'store'", JSON.stringify(folder(t)));
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  assert.equal(printed, 'hello Ada\n');
});

test('the types are right', () => {
  const tsc = require.resolve('typescript/bin/tsc');
  const project = join(ROOT, 'tests/types');
  try {
    execFileSync(process.execPath, [tsc, '--noEmit', '-p', project], { encoding: 'utf8' });
  } catch (error) {
    assert.fail(error.stdout);
  }
});

test('every wrong argument of the low-level layer is refused', async (t) => {
  const where = folder(t);
  mkdirSync(where);
  await runs('misuse.mjs', [where], 'refused');
});
