// Failures: one class, whose `code` tells what happened.

import { native } from './addon';
import type { NativeError, StatusName } from './native';

export type { StatusName } from './native';

/** What a {@link StatewrightError} says beside its message. */
export interface ErrorDetails {
  code: StatusName;
  retryable?: boolean;
  path?: string;
  help?: string;
  cause?: unknown;
}

/**
 * What every refused call throws, or rejects with. (Arguments of the wrong JavaScript type give a `TypeError`,
 * and what an `AbortSignal` ends rejects with the signal's reason.)
 */
export class StatewrightError extends Error {
  /** The name of the status, such as `'SW_CONFLICT'`. Compare this one. */
  readonly code: StatusName;
  /** The number of the status, such as 400: the same in every language, for good. */
  readonly status: number;
  /** Whether the same call, or the same transaction, may succeed if it is simply made again. */
  readonly retryable: boolean;
  /** Which argument, key or place in a document it is about; may be empty. */
  readonly path: string;
  /** What to do about it; may be empty. */
  readonly help: string;

  constructor(message: string, details: ErrorDetails) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    const numbers: Readonly<Record<string, number>> = native.constants;
    this.code = details.code;
    this.status = numbers[details.code] ?? 0;
    this.retryable = details.retryable ?? false;
    this.path = details.path ?? '';
    this.help = details.help ?? '';
  }

  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'StatewrightError',
      configurable: true,
      writable: true,
    });
  }
}

/** What the addon throws becomes a {@link StatewrightError}; anything else stays as it is. */
export function translated(error: unknown): unknown {
  if (error instanceof StatewrightError || !isNative(error)) return error;
  const { message, code, retryable, path, help } = error;
  return new StatewrightError(message, { code, retryable, path, help });
}

/** One of several that was refused, as the library tells it. */
export function refusal(why: Record<string, unknown>): StatewrightError {
  const numbers = Object.entries(native.constants as Readonly<Record<string, number>>);
  const code = numbers.find(([name, number]) => number === why.code && name.startsWith('SW_'))?.[0];
  return new StatewrightError(String(why.message), {
    code: (code ?? 'SW_INTERNAL') as StatusName,
    retryable: why.retryable === true,
    path: String(why.path),
    help: String(why.help),
  });
}

/** Runs a call of the addon; its failure becomes a {@link StatewrightError}. */
export function attempt<R>(call: () => R): R {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

/** Whether this is the failure of that name. */
export function hasCode(error: unknown, code: StatusName): boolean {
  return error instanceof StatewrightError && error.code === code;
}

function isNative(error: unknown): error is NativeError {
  return (
    error instanceof Error && 'code' in error && 'status' in error && 'retryable' in error && 'help' in error
  );
}
