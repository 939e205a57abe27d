// How a process ends, by the first argument. The second is a folder for a store.
import { Engine } from '@statewright/node';

import { ONE_TASK } from '../support/help.mjs';

const [how, folder] = process.argv.slice(2);

const endings = {
  /** An engine that was not closed, and a queue that nothing is pending on, keep nobody. */
  async open() {
    const engine = await Engine.open(folder);
    await engine.kv.put('k', 1);
    await engine.deploy('name: quick\nversion: 1\ntasks:\n  set: { kind: set, set: { .x: 1 } }\n');
    await engine.wait(await engine.start('quick'));
    console.log('open');
  },
  /** A pending wait does, though nothing else would. */
  async pending() {
    const engine = Engine.memory();
    await engine.deploy('name: slow\nversion: 1\ntasks:\n  nap: { kind: wait, for: 150ms }\n');
    const { status } = await engine.wait(await engine.start('slow'));
    console.log(status);
  },
  /** In the midst of everything. */
  async exit() {
    const engine = await Engine.open(folder);
    await engine.deploy(ONE_TASK);
    for (let index = 0; index < 20; index++) {
      engine.kv.put(`k${index}`, index);
      engine.poll({ topics: ['work'] });
      engine.start('one').then((id) => engine.wait(id));
    }
    await engine.kv.put('k', 1);
    console.log('exit');
    process.exit(0);
  },
  async unhandled() {
    const engine = Engine.memory();
    engine.wait('none');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    console.log('not reached');
  },
  /** What a callback of a promise throws is an unhandled rejection like any other. */
  async thrown() {
    const engine = Engine.memory();
    await engine.deploy('name: quick\nversion: 1\ntasks:\n  set: { kind: set, set: { .x: 1 } }\n');
    engine.wait(await engine.start('quick')).then(() => {
      throw new Error('thrown in a callback');
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    console.log('not reached');
  },
};

await endings[how]();
