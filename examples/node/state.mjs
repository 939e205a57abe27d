// Keys, documents and transactions. Run it with the folder for the store as the argument.
import { Engine } from '@statewright/node';

const engine = await Engine.open(process.argv[2]);
try {
  await engine.kv.put('greeting', 'hello');
  await engine.kv.put('color/red', 1);
  await engine.kv.put('color/blue', 2);
  console.log(`greeting: ${JSON.stringify(engine.kv.get('greeting'))}`);

  // A transfer: both accounts change, or neither. It is run again if somebody else changed one of them meanwhile.
  await engine.json.create('accounts', { alice: 100, bob: 50 });
  await engine.transact((txn) => {
    const transfer = 30;
    txn.json.set('accounts', '.alice', txn.json.get('accounts', '.alice') - transfer);
    txn.json.set('accounts', '.bob', txn.json.get('accounts', '.bob') + transfer);
  });
  console.log(`alice: ${engine.json.get('accounts', '.alice')}`);
  console.log(`bob: ${engine.json.get('accounts', '.bob')}`);

  // Two transactions on one place: the second to commit would overwrite what it had not seen.
  const first = engine.begin();
  const second = engine.begin();
  for (const txn of [first, second]) {
    txn.json.set('accounts', '.alice', txn.json.get('accounts', '.alice'));
  }
  await first.commit();
  try {
    await second.commit();
  } catch (error) {
    if (error.code !== 'SW_CONFLICT') throw error;
    console.log(`conflict: ${error.status} on ${error.path}`);
  }

  const keys = Array.from(engine.kv.scan({ prefix: 'color/' }), ([key]) => key);
  console.log(`keys: ${keys.join(' ')}`);
} finally {
  await engine.close();
}
