// One listener on an AbortSignal, however many operations share it: Node warns of a leak when there are more
// than ten.

const shared = new WeakMap<AbortSignal, { calls: Set<() => void>; listener: () => void }>();

/** Has `call` called when the signal is aborted; what is returned takes that back. */
export function whenAborted(signal: AbortSignal, call: () => void): () => void {
  let entry = shared.get(signal);
  if (entry === undefined) {
    const calls = new Set<() => void>();
    const listener = () => calls.forEach((each) => each());
    entry = { calls, listener };
    shared.set(signal, entry);
    signal.addEventListener('abort', listener);
  }
  const { calls, listener } = entry;
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0 || shared.get(signal)?.calls !== calls) return;
    signal.removeEventListener('abort', listener);
    shared.delete(signal);
  };
}
