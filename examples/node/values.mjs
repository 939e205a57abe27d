// A value: read, changed, walked, queried, checked, compared, patched, merged, encoded, stored. The argument is the
// folder for the store.
import { Document, Engine, Extended, Schema, StatewrightError } from '@statewright/node';

const order = Document.fromJSON(`{
  "id": 9007199254740993,
  "customer": { "name": "Ada" },
  "lines": [{ "sku": "pen", "quantity": 3, "price": 1.2 }, { "sku": "book", "quantity": 1, "price": 15.5 }]
}`);
const before = order.clone(); // costs the same for any size

// A place: .lines[0], /lines/0 (RFC 6901) and $.lines[0] are one. Integers that no number holds are bigints.
console.log(`id: ${order.get('.id')}`);
order.set('.lines[0].quantity', 5);
order.push('.lines', { sku: 'lamp', quantity: 1, price: 24.5 });
order.set('.total', Extended.of('decimal', '46.00'));
for (const [index, line] of order.entries('.lines')) console.log(`line ${index}: ${line.quantity} ${line.sku}`);

// JSONPath (RFC 9535). `Query.parse` keeps a compiled one.
console.log(`above 10: ${order.query('$.lines[?@.price > 10].sku').join(' ')}`);

// JSON Schema: everything that is wrong, not only the first.
const rules = Schema.compile({
  properties: {
    paid: { const: true },
    lines: { items: { properties: { quantity: { maximum: 4 }, sku: { maxLength: 3 } } } },
  },
});
for (const { path, keyword } of rules.violations(order)) console.log(`against the rules: ${path} ${keyword}`);

// JSON Patch (RFC 6902): what has changed, and back.
const patch = before.diff(order);
console.log(`patch: ${patch}`);
const undone = order.clone();
undone.patch(patch.inverted(before));
console.log(`undone: ${undone.equals(before)}`);

// Two have changed one version: what goes together is merged, and what does not is reported.
const [ours, theirs] = [order.clone(), order.clone()];
ours.set('.paid', true);
ours.set('.lines[0].quantity', 6);
theirs.set('.customer.name', 'Ada Lovelace');
theirs.set('.lines[0].quantity', 7);
const { document: merged, conflicts } = order.merge3(ours, theirs);
for (const { path, base, ours, theirs } of conflicts) {
  console.log(`conflict: ${path} was ${base}, is ${ours} and ${theirs}`);
}

// JSON Merge Patch (RFC 7396): null removes.
merged.mergePatch({ lines: null, customer: { vip: true } });
console.log(`merged: ${merged}`);

// Typed JSON keeps decimals and dates, a content hash compares, CBOR and MessagePack are small.
console.log(`typed: ${merged.json({ typed: true })}`);
console.log(`hash: ${Buffer.from(merged.contentHash()).toString('hex')}`);
console.log(`as CBOR: ${Document.fromCBOR(merged.cbor()).equals(merged)}`);

// What is wrong is told, and changes nothing.
try {
  merged.set('.id.x', 1);
} catch (error) {
  if (!(error instanceof StatewrightError)) throw error;
  console.log(`refused: ${error.status} at ${error.path}`);
}

// A document goes into the store as any other value does.
const engine = await Engine.open(process.argv[2]);
await engine.json.create('order', merged);
console.log(`stored: ${engine.json.get('order', '.customer.name')}`);
await engine.close();

// The garbage collector would do it too, later.
for (const held of [order, before, rules, patch, undone, ours, theirs, merged]) held.close();
