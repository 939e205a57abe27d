// What people do to cases: find work, take it, hand it on, skip it; suspend, signal, ask and cancel cases; pause what
// begins by itself. Run it with the folder for its store as the argument.
import { Engine, StatewrightError } from '@statewright/node';

const engine = await Engine.open(process.argv[2]);
try {
  await engine.deployFile('examples/flows/claim.yaml');
  await peopleWork('claim-1');
  await aCaseIsCancelled('claim-2');
  await workIsSkipped('claim-3');
  await whatBeginsByItself();
} finally {
  await engine.close();
}

async function peopleWork(id) {
  await engine.start('claim', null, { id });
  const [assess] = engine.work({ case: id });
  console.log(`${id} offers ${assess.task} to ${assess.topic}`);
  const mine = await engine.take(id, assess.item, { worker: 'ann' });
  const theirs = await mine.delegate('bob');
  console.log(`ann took it for ${mine.input} and handed it to bob`);
  console.log(`ann's result is refused: ${await refusal(mine.complete('not covered'))}`);
  await theirs.complete('covered');
  console.log("bob's result is accepted");

  await engine.addInstances(id, 'inspect', ['garage']);
  const parts = engine.work({ case: id }).toArray();
  console.log(`${id} offers inspect ${parts.length} times`);
  const part = await engine.take(id, parts.at(-1).item, { worker: 'bob' });
  await part.complete('damaged');
  console.log(`bob inspected ${part.input}`);
  await engine.completeTask(id, 'inspect'); // the rest need not be looked at

  const payment = { cents: 120_000 };
  await engine.suspend(id);
  const lost = await engine.signal(id, 'paid', payment);
  console.log(`${id} is suspended; a payment is ${lost.outcome}: ${lost.code}`);
  await engine.resume(id);
  const misfit = await refusal(engine.signal(id, 'paid', { cents: 'much' }));
  console.log(`resumed, a payment that does not fit is refused: ${misfit}`);
  const { outcome, task, reply } = await engine.signal(id, 'paid', payment);
  console.log(`a payment is ${outcome} by ${task}, which answers ${JSON.stringify(reply)}`);
  await printEnd(id);
  console.log(`${id}, asked for its inspections: ${engine.query(id, '.inspections | length')}`);
}

async function aCaseIsCancelled(id) {
  await engine.start('claim', null, { id });
  await engine.cancel(id, 'withdrawn by the holder');
  const { status, error } = engine.case(id);
  console.log(`${id} ${status}: ${error.message}`);
  console.log(`cancelling it again is refused: ${await refusal(engine.cancel(id))}`);
}

async function workIsSkipped(id) {
  await engine.start('claim', null, { id });
  const [assess] = engine.work({ case: id });
  await engine.skip(id, assess.item, 'a known case');
  await engine.completeTask(id, 'inspect');
  await engine.signal(id, 'paid');
  await printEnd(id);
}

async function whatBeginsByItself() {
  await engine.deployFile('examples/flows/digest.yaml');
  for (const { flow, when, overlap } of engine.schedules()) {
    console.log(`${flow} begins by itself: ${when}, ${overlap}`);
  }
  await engine.pauseSchedule('digest');
  console.log(`paused, it has ${engine.upcoming('digest', 3).length} next times`);
  await engine.resumeSchedule('digest');
  console.log(`resumed, it has ${engine.upcoming('digest', 3).length} next times`);
}

/** The number of the error that a call is refused with. */
async function refusal(call) {
  const error = await call.then(() => null, (error) => error);
  if (!(error instanceof StatewrightError)) throw error ?? new Error('it was not refused');
  return error.status;
}

async function printEnd(id) {
  const { status, result } = await engine.wait(id);
  const { assessed, inspections, payment } = result;
  console.log(`${id} ${status}: ${JSON.stringify({ assessed, inspections, payment })}`);
}
