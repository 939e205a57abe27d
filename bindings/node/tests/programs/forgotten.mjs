// Engines that are forgotten are closed when they are garbage, and a warning says so. Run with --expose-gc in a
// folder of its own.
import { Engine } from '@statewright/node';

let warnings = 0;
process.on('warning', ({ code }) => void (warnings += code === 'SW_NOT_CLOSED' ? 1 : 0));

async function forget(folder) {
  const engine = await Engine.open(folder);
  await engine.kv.put('k', folder);
  await engine.transact((txn) => txn.kv.get('k'));
}

const folders = Array.from({ length: 5 }, (_, index) => `${process.argv[2]}/${index}`);
for (const folder of folders) await forget(folder);
for (let round = 0; round < 100 && warnings < folders.length; round++) {
  global.gc();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
for (const folder of folders) {
  const again = await Engine.open(folder);
  if (again.kv.get('k') !== folder) throw new Error('lost');
  await again.close();
}

// What is in use is not garbage, though nobody holds the engine.
async function waiting() {
  const engine = Engine.memory();
  await engine.deploy('name: slow\nversion: 1\ntasks:\n  nap: { kind: wait, for: 200ms }\n');
  return engine.wait(await engine.start('slow'));
}
const state = waiting();
const collecting = setInterval(global.gc, 5);
const { status } = await state;
clearInterval(collecting);
console.log(`${warnings} warnings, then ${status}`);
