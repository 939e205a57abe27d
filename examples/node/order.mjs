// An order whose work is done here: prices, stock and payment. Run it with the folder for its store as the argument.
import { Engine, WorkFailure } from '@statewright/node';

const unitPrices = { pen: 120, book: 1550 }; // cents

const services = {
  pricing: ({ input }) => input.map(({ sku, quantity }) => ({ sku, quantity, cents: unitPrices[sku] })),

  stock: ({ input }) => ({ id: `R-${input.length}` }),

  payment: ({ attempt, input }) => {
    if (attempt === 1) throw new WorkFailure('the payment service is busy', { retryable: true });
    return { cents: input.cents, receipt: `P-${input.cents}` };
  },
};

/** JSON with the keys of every object in order, so that the same report is the same text in every language. */
function canonical(value) {
  const sorted = (_, member) =>
    member?.constructor === Object
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member;
  return JSON.stringify(value, sorted);
}

const engine = await Engine.open(process.argv[2]);
try {
  await engine.deployFile('examples/flows/order.yaml');
  const serving = engine.worker(services);
  const id = await engine.start('order');
  const { status, result, error } = await engine.wait(id);
  if (status !== 'completed') throw new Error(`the order ${status}: ${canonical(error)}`);
  console.log(canonical(result));
  await engine.close(); // which ends the worker
  await serving;
} finally {
  await engine.close();
}
