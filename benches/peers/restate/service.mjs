// A workflow of ten durable steps: the result of each is in the journal before the next one begins.

// The SDK wants what Node has since version 22.
Promise.withResolvers ??= function () {
  const made = {};
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const { endpoint, service } = await import("@restatedev/restate-sdk");

async function ten(context) {
  let sum = 0;
  for (let step = 1; step <= 10; step += 1) {
    sum += await context.run(`step${step}`, () => step);
  }
  return sum;
}

await endpoint().bind(service({ name: "cases", handlers: { ten } })).listen(9081);
