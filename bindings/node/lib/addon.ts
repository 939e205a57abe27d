// Loads the addon. It checks that the library it finds is the version that it was built for.

import type * as functions from './native';
import type { Cq, NativeError } from './native';

/** How one operation ended: with a result, or with an error. */
export interface Completion {
  op: bigint;
  result?: Uint8Array;
  error?: NativeError;
}

/** The completion queue of this thread. */
export interface Queue {
  cq: Cq;
  /** Keeps the event loop alive until `release`. */
  hold(): void;
  release(): void;
}

type Addon = typeof functions & { queueOpen(deliver: (completions: Completion[]) => void): Queue };

function load(): Addon {
  try {
    return require('../build/statewright.node') as Addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const help = 'build the library with `cargo xtask lib` and this package with `npm run build`';
    throw new Error(`@statewright/node: the addon cannot be loaded: ${why}; ${help}`, { cause });
  }
}

export const native: Addon = load();
