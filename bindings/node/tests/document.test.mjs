// Documents, queries and schemas.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Document, Extended, Query, Schema } from '@statewright/node';

import { fails, memory, runs } from './support/help.mjs';

const EVERYTHING = {
  null: null,
  yes: true,
  lowest: -(2n ** 63n),
  highest: 2n ** 64n - 1n,
  beyond: 2n ** 53n + 1n,
  float: 1.5,
  text: 'grüße 🌍',
  bytes: new Uint8Array([0, 255]),
  list: [1, 'two', []],
  object: {},
  decimal: Extended.of('decimal', '12.50'),
  date: Extended.of('date', '2024-05-01'),
  time: Extended.of('time', '12:30:00'),
  datetime: Extended.of('datetime', '2024-05-01T12:30:00+02:00'),
  utc: Extended.of('datetime', '2024-05-01T12:30:00Z'),
  duration: Extended.of('duration', 'PT1H30M'),
};

const order = () => Document.fromJSON('{"id":1,"lines":[{"sku":"pen","price":5},{"sku":"book","price":15}]}');

test('every kind goes in and out, and into the store', async (t) => {
  const document = Document.of(EVERYTHING);
  const copies = [
    document,
    document.clone(),
    Document.of(document),
    Document.fromMsgpack(document.msgpack()),
    Document.fromCBOR(document.cbor()),
    Document.fromCBOR(document.cbor({ deterministic: true })),
    Document.fromPacked(document.packed()),
    Document.fromJSON(document.json({ typed: true }), { typed: true }),
  ];
  for (const copy of copies) {
    assert.deepStrictEqual(copy.value(), EVERYTHING);
    assert.ok(copy.equals(document));
    assert.deepStrictEqual(copy.contentHash(), document.contentHash());
  }
  const engine = memory(t);
  await engine.kv.put('k', document);
  assert.deepStrictEqual(engine.kv.get('k'), EVERYTHING);
  await engine.json.create('d', EVERYTHING);
  assert.deepStrictEqual(engine.json.get('d', '.decimal'), EVERYTHING.decimal);
});

test('kinds and sizes are told', () => {
  const document = Document.of(EVERYTHING);
  const kinds = { lowest: 'integer', highest: 'integer', beyond: 'integer', yes: 'boolean', utc: 'datetime', list: 'array' };
  for (const key of Object.keys(EVERYTHING)) assert.equal(document.kind(`.${key}`), kinds[key] ?? key);
  assert.equal(document.kind(), 'object');
  assert.equal(document.kind('.nothing'), undefined);
  assert.deepEqual([document.has('.null'), document.has('.nothing')], [true, false]);
  assert.deepEqual([document.size('.list'), document.size('.bytes'), document.size('.nothing')], [3, 2, 0]);
  assert.equal(document.get('.nothing'), undefined);
  assert.equal(document.at('.nothing'), undefined);
});

test('what is beyond JSON is text elsewhere, exact here', () => {
  assert.notDeepStrictEqual(Extended.of('decimal', '12.5'), Extended.of('decimal', '12.50'));
  assert.equal(`${EVERYTHING.datetime}`, '2024-05-01T12:30:00+02:00');
  assert.equal(JSON.stringify([EVERYTHING.decimal, EVERYTHING.date]), '["12.50","2024-05-01"]');
  assert.equal(Document.of([EVERYTHING.decimal]).json(), '[12.50]');
  assert.throws(() => Extended.of('decimal', '12,50'), { code: 'SW_INVALID_TEMPORAL' });
  assert.throws(() => Extended.of('file', '{}'), TypeError);
});

test('places are read and changed, by any kind of path', () => {
  const document = order();
  for (const path of ['.lines[1].sku', '/lines/1/sku', '$.lines[1].sku', "$['lines'][1]['sku']"]) {
    assert.equal(document.get(path), 'book');
  }
  document.set('.customer.name', 'Ada');
  document.set('/lines/-', { sku: 'lamp', at: new Date(0) });
  document.set('.part', document.at('.lines[0]'));
  document.setJSON('.big', '9007199254740993');
  document.insert('.lines[0]', 2n ** 63n);
  document.push('.lines', Document.of(['last']));
  assert.deepStrictEqual(document.value(), {
    id: 1,
    lines: [
      2n ** 63n,
      { sku: 'pen', price: 5 },
      { sku: 'book', price: 15 },
      { sku: 'lamp', at: '1970-01-01T00:00:00.000Z' },
      ['last'],
    ],
    customer: { name: 'Ada' },
    part: { sku: 'pen', price: 5 },
    big: 9007199254740993n,
  });
  assert.deepEqual([document.remove('.big'), document.remove('.big')], [true, false]);
  assert.equal(document.take('.lines').size(), 5);
  assert.equal(document.take('.lines'), undefined);
  assert.equal(document.json(), '{"id":1,"customer":{"name":"Ada"},"part":{"sku":"pen","price":5}}');
});

test('a walk sees one state, and may be left', () => {
  const document = Document.of({ list: Array.from({ length: 1000 }, (_, i) => i), odd: { b: 1, 'a.b': [2] } });
  const walked = [];
  for (const [index, item] of document.entries('.list')) {
    if (index === 0) document.set('.list', null);
    walked.push([index, item]);
  }
  assert.deepEqual(walked, Array.from({ length: 1000 }, (_, i) => [i, i]));
  assert.deepEqual([...document.entries('.odd')], [['b', 1], ['a.b', [2]]]);
  for (const [key] of document.entries()) {
    assert.equal(key, 'list');
    break;
  }
  assert.throws(() => [...document.entries('.list')], { code: 'SW_WRONG_TYPE', path: '.list' });
});

test('queries find, locate and change', () => {
  const document = order();
  assert.deepEqual(document.query('$.lines[?@.price > 10].sku'), ['book']);
  const skus = Query.parse('$..sku');
  assert.deepEqual(skus.select(document), ['pen', 'book']);
  assert.equal(skus.first(document), 'pen');
  assert.equal(skus.count(document), 2);
  assert.deepEqual(skus.locate(document), [['.lines[0].sku', 'pen'], ['.lines[1].sku', 'book']]);
  assert.deepEqual(skus.locate(document, 'pointer')[1], ['/lines/1/sku', 'book']);
  assert.deepEqual(skus.locate(document, 'normalized')[1], ["$['lines'][1]['sku']", 'book']);
  assert.throws(() => skus.locate(document, 'else'), TypeError);
  assert.equal(skus.set(document, { n: 2n ** 60n }), 2);
  assert.equal(document.get('.lines[1].sku.n'), 2n ** 60n);
  assert.equal(skus.remove(document), 2);
  assert.equal(skus.first(document), undefined);
  assert.equal(document.json(), '{"id":1,"lines":[{"price":5},{"price":15}]}');
  assert.throws(() => Query.parse('$['), { code: 'SW_INVALID_QUERY' });
  assert.throws(() => Query.parse('$..*', { maxSteps: 3 }).select(document), { code: 'SW_LIMIT' });
  assert.throws(() => Query.parse('$', { maxSteps: -1 }), TypeError);
});

test('patches go both ways, and fail whole', () => {
  const before = order();
  const after = before.clone();
  after.patch([
    { op: 'replace', path: '/lines/0/price', value: 6 },
    { op: 'remove', path: '/id' },
  ]);
  assert.deepEqual(after.value(), { lines: [{ sku: 'pen', price: 6 }, { sku: 'book', price: 15 }] });
  const patch = before.diff(after);
  const again = before.clone();
  again.patch(patch);
  assert.ok(again.equals(after));
  again.patch(patch.inverted(before));
  assert.ok(again.equals(before));
  const error = () => again.patch([{ op: 'remove', path: '/id' }, { op: 'remove', path: '/none' }]);
  assert.throws(error, { code: 'SW_PATCH_FAILED', path: '/none' });
  assert.ok(again.equals(before));
  again.mergePatch({ id: null, x: { y: 1 } });
  assert.deepEqual(again.value(), { lines: before.get('.lines'), x: { y: 1 } });
  const merge = before.mergeDiff(again);
  assert.deepEqual(merge.value(), { id: null, x: { y: 1 } });
  assert.equal(before.mergeDiff(Document.of({ ...before.value(), id: null })), undefined);
});

test('versions are merged', () => {
  const base = Document.of({ a: { x: 1, y: 1 }, list: [1] });
  const merged = base.clone();
  merged.merge({ a: { y: 2 }, list: [1, 2] }, { arrays: 'union' });
  assert.deepEqual(merged.value(), { a: { x: 1, y: 2 }, list: [1, 2] });
  merged.merge({ a: { z: null } }, { deep: false });
  assert.deepEqual(merged.value(), { a: { z: null }, list: [1, 2] });
  merged.merge({ a: null }, { nulls: 'remove' });
  assert.deepEqual(merged.value(), { list: [1, 2] });
  assert.throws(() => merged.merge({}, { arrays: 'other' }), TypeError);

  const [ours, theirs] = [base.clone(), base.clone()];
  ours.set('.a.x', 2);
  theirs.remove('.a.x');
  theirs.set('.list', []);
  const { document, conflicts } = base.merge3(ours, theirs);
  assert.deepEqual(conflicts, [{ path: '.a.x', base: 1, ours: 2 }]);
  assert.deepEqual(document.value(), { a: { x: 2, y: 1 }, list: [] });
  const theirsFirst = base.merge3(ours, theirs, 'theirs');
  assert.deepEqual([theirsFirst.conflicts, theirsFirst.document.value()], [[], { a: { y: 1 }, list: [] }]);
});

test('documents are compared', () => {
  const [one, same, more] = ['{"a":1,"b":2}', '{"b":2,"a":1}', '{"a":2}'].map((json) => Document.fromJSON(json));
  assert.deepEqual([one.equals(same), one.equals(more), one.compare(same)], [true, false, 0]);
  assert.equal(Math.sign(one.compare(more)), -Math.sign(more.compare(one)));
  assert.notEqual(one.compare(more), 0);
  assert.equal(one.json({ sorted: true }), same.json({ sorted: true }));
  assert.equal(same.json({ canonical: true }), '{"a":1,"b":2}');
  assert.equal(more.json({ pretty: true }), '{\n  "a": 2\n}');
  assert.equal(Buffer.compare(one.cbor({ deterministic: true }), same.cbor({ deterministic: true })), 0);
});

test('schemas say everything that is wrong', () => {
  const rules = { type: 'object', required: ['name'], properties: { age: { minimum: 0 } } };
  const schema = Schema.compile(rules);
  schema.validate({ name: 'Ada', age: 36 });
  assert.deepEqual(schema.violations({ name: 'Ada' }), []);
  const wrong = Document.of({ age: -1 });
  assert.throws(() => schema.validate(wrong), { code: 'SW_SCHEMA_VIOLATION' });
  const found = schema.violations(wrong);
  assert.deepEqual(
    found.map(({ path, schemaPath, keyword }) => [path, schemaPath, keyword]).sort(),
    [['.', '/required', 'required'], ['.age', '/properties/age/minimum', 'minimum']],
  );
  const [either] = Schema.compile({ anyOf: [{ type: 'string' }, { minimum: 3 }] }).violations(1);
  assert.deepEqual(either.alternatives.map(([{ keyword }]) => keyword), ['type', 'minimum']);
  const far = Schema.compile({ $ref: 'https://example.com/s' }, { documents: { 'https://example.com/s': rules } });
  assert.throws(() => far.validate({}), { code: 'SW_SCHEMA_VIOLATION' });
  assert.throws(() => Schema.compile({ type: 'strin' }), { code: 'SW_INVALID_SCHEMA' });
  assert.throws(() => Schema.compile({ format: 'date' }, { checkFormats: true }).validate('x'), {
    code: 'SW_SCHEMA_VIOLATION',
  });
  assert.equal(Schema.infer([{ id: 1 }, { id: 2 }]).get('.properties.id.type'), 'integer');
});

const bad = [
  ['broken JSON', 'SW_INVALID_JSON', () => Document.fromJSON('{')],
  ['half of a surrogate pair', 'SW_INVALID_UTF8', () => Document.fromJSON('"\ud800"')],
  ['broken MessagePack', 'SW_INVALID_MSGPACK', () => Document.fromMsgpack(new Uint8Array([0xc1]))],
  ['broken CBOR', 'SW_INVALID_CBOR', () => Document.fromCBOR(new Uint8Array([0xff]))],
  ['broken packed bytes', 'SW_INVALID_PACKED', () => Document.fromPacked(new Uint8Array(64))],
  ['a million levels', 'SW_LIMIT', () => Document.fromJSON('['.repeat(1_000_000))],
  ['a million levels of MessagePack', 'SW_LIMIT', () => Document.fromMsgpack(new Uint8Array(1_000_000).fill(0x91))],
  ['too deep for strangers', 'SW_LIMIT', () => Document.fromJSON('['.repeat(40) + ']'.repeat(40), { limits: 'strict' })],
  ['too many values', 'SW_LIMIT', () => Document.fromJSON('[1,2]', { maxItems: 2 })],
  ['too many bytes', 'SW_LIMIT', () => Document.fromJSON('[1,2]', { maxBytes: 3 })],
  ['an integer beyond 64 bits', 'SW_NOT_REPRESENTABLE', () => Document.of(2n ** 64n)],
  ['a number that is none', 'SW_NOT_REPRESENTABLE', () => Document.of([NaN])],
  ['a cycle', 'SW_LIMIT', () => { const a = []; a.push(a); return Document.of(a); }],
];
for (const [name, code, call] of bad) {
  test(`refused: ${name}`, () => fails(call, code));
}

test('what is refused changes nothing', () => {
  const document = order();
  const before = document.clone();
  const calls = {
    SW_WRONG_TYPE: () => document.set('.id.x', 1),
    SW_INDEX_OUT_OF_RANGE: () => document.set('.lines[9]', 1),
    SW_INVALID_PATH: () => document.set('lines[', 1),
    SW_INVALID_JSON: () => document.setJSON('.id', '{'),
    SW_INVALID_UTF8: () => document.set('.id', '\udc00'),
    SW_NOT_REPRESENTABLE: () => document.push('.lines', Infinity),
  };
  for (const [code, call] of Object.entries(calls)) assert.throws(call, { code });
  assert.throws(() => document.get(1), TypeError);
  assert.throws(() => Document.fromJSON('1', { limits: 'none' }), TypeError);
  assert.throws(() => Document.fromJSON('1', { maxBytes: 0.5 }), TypeError);
  assert.throws(() => Document.fromCBOR('text'), TypeError);
  assert.ok(document.equals(before));
});

test('depth that is asked for goes all the way', () => {
  const deep = '['.repeat(1000) + ']'.repeat(1000);
  const document = Document.fromJSON(deep, { maxDepth: 1024 });
  assert.equal(document.json(), deep);
  assert.equal(JSON.stringify(document.value()), deep);
});

test('what is closed is closed', () => {
  const document = order();
  document[Symbol.dispose]();
  document.close();
  assert.throws(() => document.get(), { code: 'SW_CLOSED' });
  assert.throws(() => order().merge(document), { code: 'SW_CLOSED' });
  const query = Query.parse('$');
  query.close();
  assert.throws(() => query.count(order()), { code: 'SW_CLOSED' });
});

test('ten thousand documents leak nothing', () =>
  runs('leaks.mjs', ['documents', '10000'], 'no leak in documents', ['--expose-gc']));
