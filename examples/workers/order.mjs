// Serves the host tasks of examples/flows/order.yaml from a process of its own:
//
//   statewright run examples/flows/order.yaml --worker 'node examples/workers/order.mjs'
//
// One JSON object a line in both directions; docs/CLI.md describes them. No package is needed.
import { createInterface } from 'node:readline';

const say = (message) => console.log(JSON.stringify(message));
const catalogue = { pen: 120, book: 1550 };

class Refused extends Error {
  constructor(message, retryable) {
    super(message);
    this.retryable = retryable;
  }
}

const work = {
  pricing: ({ input }) =>
    input.map((line) => {
      const cents = catalogue[line.sku];
      // Trying again would not help: the task fails for good.
      if (cents === undefined) throw new Refused(`no price for ${line.sku}`, false);
      return { ...line, cents };
    }),

  stock: ({ input }) => ({ id: `R-${input.length}` }),

  // Refuses the first attempt; the task's retry rules bring it back.
  payment: ({ input, attempt }) => {
    if (attempt === 1) throw new Refused('the payment service is busy', true);
    return { cents: input.cents, receipt: `P-${input.cents}` };
  },
};

say({ type: 'topics', topics: Object.keys(work), max: 10 });
// The end of stdin is the end of the work.
for await (const line of createInterface({ input: process.stdin })) {
  const item = JSON.parse(line);
  if (item.type !== 'item') continue;
  try {
    say({ type: 'complete', token: item.token, result: work[item.topic](item) });
  } catch (error) {
    say({ type: 'fail', token: item.token, message: error.message, retryable: error.retryable ?? true });
  }
}
