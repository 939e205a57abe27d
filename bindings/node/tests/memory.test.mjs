// Nothing leaks, and what is forgotten is found.
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';

import { folder, runs } from './support/help.mjs';

for (const what of ['engines', 'txns', 'values', 'errors', 'waits']) {
  test(`ten thousand ${what} leak nothing`, () =>
    runs('leaks.mjs', [what, '10000'], `no leak in ${what}`, ['--expose-gc']));
}

test('a forgotten engine is closed when it is garbage, one that is waited on is not', async (t) => {
  const where = folder(t);
  mkdirSync(where);
  await runs('forgotten.mjs', [where], '5 warnings, then completed', ['--expose-gc']);
});
