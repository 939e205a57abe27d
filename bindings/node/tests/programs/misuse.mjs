// Every function of the low-level layer with arguments of every wrong kind: it may only throw or reject. Runs
// in the folder that is its argument.
import { createRequire } from 'node:module';

const native = createRequire(import.meta.url)('../../build/statewright.node');
process.chdir(process.argv[2]);

const engine = native.open('', undefined);
const closed = native.open('', undefined);
native.close(closed);
const txn = native.txnBegin(engine, 0);
const ended = native.txnBegin(engine, 0);
native.txnRollback(ended);
const cq = native.cqOpen(undefined);

const detached = new Uint8Array(8);
structuredClone(detached.buffer, { transfer: [detached.buffer] });
const odd = [
  undefined,
  null,
  true,
  0,
  1,
  -1,
  1.5,
  NaN,
  2 ** 53,
  0n,
  1n,
  -1n,
  2n ** 64n,
  'text',
  '',
  'a\0b',
  '\ud800',
  Symbol('s'),
  {},
  [],
  () => {},
  new Uint8Array(0),
  new Uint8Array([0xc1]),
  new Uint8Array([0xc0]),
  detached,
  new Uint16Array(3),
  new ArrayBuffer(3),
  new DataView(new ArrayBuffer(3)),
  new Uint8Array(new SharedArrayBuffer(3)),
  new Proxy({}, {}),
  { durability: 'x' },
  {
    get drive() {
      throw new Error('from a getter');
    },
  },
  { capacity: -1 },
  closed,
  ended,
  engine,
  txn,
  cq,
  engine ^ 1n,
  txn + (1n << 32n),
];
const functions = Object.entries(native).filter(
  ([name, value]) => typeof value === 'function' && name !== 'queueOpen',
);
const live = new Set([engine, txn, cq]);

let seed = 1;
const pick = () => odd[(seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % odd.length];
let [calls, thrown] = [0, 0];
const promises = [];
for (let round = 0; round < 400; round++) {
  for (const [name, call] of functions) {
    const args = Array.from({ length: round % 9 }, pick);
    // A call may end what it is given; then the next rounds see it stale.
    if (/^(close|cqClose|txnCommit|txnRollback|cqShutdown)/.test(name) && live.has(args[0]) && round < 390)
      continue;
    calls++;
    try {
      const result = call(...args);
      if (result instanceof Promise) promises.push(result.catch((error) => checked(error)));
    } catch (error) {
      checked(error);
    }
  }
  if (round % 20 === 0) await Promise.all(promises.splice(0));
}
await Promise.all(promises);

function checked(error) {
  thrown++;
  const known =
    error instanceof TypeError || typeof error.status === 'number' || error.message === 'from a getter';
  if (!known) throw error;
}

// Each function with handles must refuse a stale one, and say so.
for (const name of ['stats', 'sync', 'kvGet', 'caseGet', 'txnBegin']) {
  const args = { kvGet: ['', Buffer.from('k')], caseGet: ['id'], txnBegin: [0] }[name] ?? [];
  for (const handle of [closed, ended, 0n, 7n]) {
    try {
      native[name](handle, ...args);
      throw new Error(`${name} took ${handle}`);
    } catch (error) {
      if (error.code !== 'SW_MISUSE') throw error;
    }
  }
}
console.log(calls > 10_000 && thrown > 5_000 ? 'refused' : `${thrown} of ${calls}`);
