// JavaScript values through the store and back.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { fails, memory } from './support/help.mjs';

const native = createRequire(import.meta.url)('../build/statewright.node');

/** What the library itself holds, as JSON text. */
const held = (engine) => native.msgpackToJson(native.kvGet(engine.handle, '', Buffer.from('v')), 0);

const same = [
  ['null', null, 'null'],
  ['true', true, 'true'],
  ['zero', 0, '0'],
  ['a fraction', 1.5, '1.5'],
  ['a small negative', -32, '-32'],
  ['32 bits', 0xffffffff, '4294967295'],
  ['33 bits stay an integer', 0x100000000, '4294967296'],
  ['below 32 bits', -0x80000001, '-2147483649'],
  ['the largest safe integer', Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ['the smallest safe integer', Number.MIN_SAFE_INTEGER, '-9007199254740991'],
  ['above the safe integers', 2n ** 53n, '9007199254740992'],
  ['the largest integer', 2n ** 64n - 1n, '18446744073709551615'],
  ['the smallest integer', -(2n ** 63n), '-9223372036854775808'],
  ['a huge number', 1e300, '1e+300'],
  ['text', 'grüße, 世界 🌍 \0 "', '"grüße, 世界 🌍 \\u0000 \\""'],
  ['empty text', '', '""'],
  ['bytes', new Uint8Array([0, 255, 128]), '{"$bytes":"AP+A"}'],
  ['an array', [1, 'a', null, [], {}], '[1,"a",null,[],{}]'],
  ['an object keeps its order', { b: 1, a: { c: [true] } }, '{"b":1,"a":{"c":[true]}}'],
  ['odd keys', { '': 1, 'a.b': 2, 'ü\0': 3 }, '{"":1,"a.b":2,"ü\\u0000":3}'],
  ['the key __proto__', JSON.parse('{"__proto__":{"a":[1]},"b":9007199254740993}'), undefined],
  ['the key constructor', { constructor: 1, toString: 'x' }, '{"constructor":1,"toString":"x"}'],
  ['text with a mark in front', '\ufefftext', '"\ufefftext"'],
  ['long text with a mark in front', '\ufeff' + 'ü'.repeat(200), `"\ufeff${'ü'.repeat(200)}"`],
  [
    'all there is beside a mark and __proto__',
    JSON.parse(JSON.stringify({ mark: '\ufeff'.repeat(99), long: 'x'.repeat(70_000) })),
    undefined,
  ],
  ['a long key with a mark in front', { ['\ufeff' + 'k'.repeat(300)]: 1 }, undefined],
  [
    'a large integer deep inside',
    { a: [{ b: 2 ** 40 }, { b: 2n ** 60n }] },
    '{"a":[{"b":1099511627776},{"b":1152921504606846976}]}',
  ],
];

for (const [name, value, json] of same) {
  test(`the same comes back: ${name}`, async (t) => {
    const engine = memory(t);
    await engine.kv.put('v', value);
    assert.deepStrictEqual(engine.kv.get('v'), value);
    if (json !== undefined) assert.equal(held(engine), json);
    await engine.json.create('d', { in: value });
    assert.deepStrictEqual(engine.json.get('d', '.in'), value);
  });
}

const turned = [
  ['a small bigint becomes a number', 7n, 7],
  ['minus zero becomes zero', -0, 0],
  ['a date becomes text', new Date(0), '1970-01-01T00:00:00.000Z'],
  [
    'toJSON is asked, deep inside too',
    [{ at: { toJSON: () => ({ n: 2n ** 60n }) } }],
    [{ at: { n: 2n ** 60n } }],
  ],
  [
    'an instance of a class becomes an object',
    new (class Point {
      x = 1;
      #y = 2;
      sum() {
        return this.#y;
      }
    })(),
    { x: 1 },
  ],
  ['an object without prototype becomes one with', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ['members that are undefined are left out', { a: undefined, b: 1, c: undefined }, { b: 1 }],
  ['gaps in arrays become null', [undefined, , 1], [null, null, 1]],
  ['a Buffer becomes a Uint8Array', Buffer.from('ab'), new Uint8Array([97, 98])],
  [
    'members in a class with undefined and large integers',
    { u: undefined, n: 2 ** 40, ['__proto__x']: 1 },
    { n: 2 ** 40, ['__proto__x']: 1 },
  ],
];

for (const [name, value, expected] of turned) {
  test(name, async (t) => {
    const engine = memory(t);
    await engine.kv.put('v', value);
    assert.deepStrictEqual(engine.kv.get('v'), expected);
  });
}

const cycle = { a: [] };
cycle.a.push(cycle);
let deep = 1;
for (let level = 0; level < 129; level++) deep = [deep];

const refused = [
  ['undefined', undefined, 'SW_INVALID_ARGUMENT', ''],
  ['NaN', { a: NaN }, 'SW_NOT_REPRESENTABLE'],
  ['infinity', [-Infinity], 'SW_NOT_REPRESENTABLE'],
  ['an integer above 64 bits', { a: { b: [0, 2n ** 64n] } }, 'SW_NOT_REPRESENTABLE', '.a.b[1]'],
  ['an integer below 64 bits', -(2n ** 63n) - 1n, 'SW_NOT_REPRESENTABLE', ''],
  ['half a surrogate pair', ['x', 'a\ud800b'], 'SW_INVALID_UTF8', '[1]'],
  ['half a surrogate pair in a key', { 'a\udc00': 1 }, 'SW_INVALID_UTF8'],
  ['a function', { f() {} }, 'SW_NOT_REPRESENTABLE', '.f'],
  ['a symbol', Symbol('s'), 'SW_NOT_REPRESENTABLE', ''],
  ['a map', new Map([[1, 2]]), 'SW_NOT_REPRESENTABLE', ''],
  ['a promise that was not awaited', { a: Promise.resolve(1) }, 'SW_NOT_REPRESENTABLE', '.a'],
  ['other typed arrays', new Float64Array(1), 'SW_NOT_REPRESENTABLE', ''],
  ['a cycle', cycle, 'SW_LIMIT'],
  ['more levels than the limit', deep, 'SW_LIMIT'],
];

for (const [name, value, code, path] of refused) {
  test(`refused, and nothing changes: ${name}`, async (t) => {
    const engine = memory(t);
    await engine.kv.put('v', 'before');
    const error = await fails(() => engine.kv.put('v', value), code);
    if (path !== undefined) assert.equal(error.path, path);
    assert.equal(engine.kv.get('v'), 'before');
    assert.equal(engine.stats().version, 1);
  });
}

test('128 levels are stored', async (t) => {
  const engine = memory(t);
  await engine.kv.put('v', deep[0]);
  assert.deepEqual(engine.kv.get('v'), deep[0]);
});

test('bytes that come back share no memory', async (t) => {
  const engine = memory(t);
  await engine.kv.put('v', { a: new Uint8Array([1, 2]), b: new Uint8Array([3]) });
  const { a, b } = engine.kv.get('v');
  assert.equal(a.buffer.byteLength, 2);
  a.fill(9);
  assert.deepEqual([...b], [3]);
  assert.deepEqual([...engine.kv.get('v').a], [1, 2]);
});

test('what is given may be changed as soon as the call has returned', async (t) => {
  const engine = memory(t);
  const value = { bytes: new Uint8Array(1000).fill(1), list: [1] };
  const key = new Uint8Array([1, 2]);
  const put = engine.kv.put(key, value);
  value.bytes.fill(2);
  value.list.push(2);
  key.fill(9);
  await put;
  assert.deepEqual(engine.kv.get(new Uint8Array([1, 2])).list, [1]);
  assert.equal(engine.kv.get(new Uint8Array([1, 2])).bytes[999], 1);
});

test('large values', async (t) => {
  const engine = memory(t);
  const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, name: `row ${id}`, odd: id % 2 === 1 }));
  await engine.kv.put('rows', rows);
  assert.deepEqual(engine.kv.get('rows'), rows);
  const bytes = new Uint8Array(8 << 20).fill(7);
  await engine.kv.put('bytes', bytes);
  assert.ok(Buffer.from(engine.kv.get('bytes')).equals(bytes));
  await fails(() => engine.kv.put('too large', new Uint8Array(65 << 20)), 'SW_TOO_LARGE');
});

test('random values come back the same', async (t) => {
  const engine = memory(t);
  let seed = 12345;
  const random = (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % below;
  };
  const word = () =>
    String.fromCodePoint(...Array.from({ length: random(40) }, () => [65, 0xe9, 0x4e16, 0x1f30d][random(4)]));
  const scalars = [
    () => null,
    () => random(2) === 1,
    () => random(1 << 22) - (1 << 21),
    () => (random(1 << 22) - (1 << 21)) * 2 ** random(30),
    () => random(1000) / 8,
    () => (1n << 63n) - BigInt(random(1000)),
    word,
    () => new Uint8Array(Array.from({ length: random(300) }, () => random(256))),
  ];
  const value = (depth) => {
    const choice = random(depth > 4 ? 8 : 12);
    if (choice < 8) return scalars[choice]();
    const length = random(choice === 11 ? 40 : 5);
    if (choice < 10) return Array.from({ length }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length }, (_, index) => [word() + index, value(depth + 1)]));
  };
  for (let round = 0; round < 500; round++) {
    // A long text with a mark in front is read by another reader, and so is what is beside it.
    const made = round % 2 === 0 ? value(0) : { mark: '\ufeff'.repeat(99), made: value(0) };
    await engine.kv.put('v', made);
    assert.deepStrictEqual(engine.kv.get('v'), made);
  }
});
