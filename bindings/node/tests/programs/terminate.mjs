// Worker threads are terminated while commits, waits and polls of theirs are under way. Nothing may crash, and
// what they had open must be free afterwards. Arguments: how often, and the folder for the stores.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

import { Engine } from '@statewright/node';

import { ONE_TASK } from '../support/help.mjs';

async function load(folder) {
  const engine = await Engine.open(folder, { durability: 'buffered' });
  await engine.deploy(ONE_TASK);
  const forever = async (step) => {
    for (let turn = 0; ; turn++) await step(turn);
  };
  const serving = engine.worker({ work: ({ input }) => input });
  const waiting = Array.from({ length: 8 }, () =>
    forever(async (turn) => engine.wait(await engine.start('one', { turn }))),
  );
  const writing = forever((turn) => engine.kv.put(`k${turn % 10}`, { turn, filler: 'x'.repeat(1000) }));
  const polling = Array.from({ length: 50 }, () => engine.poll({ topics: ['nobody offers this'] }));
  const refused = forever(() => engine.json.set('none', '.a', 1).catch(() => {}));
  await Promise.all(waiting.slice(0, 1).map(async () => engine.wait(await engine.start('one', {}))));
  parentPort.postMessage('under load');
  await Promise.all([serving, ...waiting, writing, ...polling, refused]);
}

if (isMainThread) {
  const [times, folder] = [Number(process.argv[2]), process.argv[3]];
  for (let round = 0; round < times; round++) {
    const where = `${folder}/${round}`;
    const worker = new Worker(new URL(import.meta.url), { workerData: where });
    await new Promise((loaded, failed) => worker.once('message', loaded).once('error', failed));
    await new Promise((later) => setTimeout(later, (round * 7) % 40));
    await worker.terminate();
    const again = await Engine.open(where);
    if (again.kv.scan().toArray().length === 0) throw new Error('nothing was committed');
    await again.close();
  }
  console.log(`survived ${times}`);
} else {
  await load(workerData);
}
