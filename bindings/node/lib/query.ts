// JSONPath queries.

import { native } from './addon';
import { lend, taken, type Document } from './document';
import { attempt } from './errors';
import { choice, Held, limit } from './held';
import type { Query as Handle } from './native';
import { known } from './state';
import { text, type Storable, type Value } from './values';

/** How places are written: `.lines[0]`, `$['lines'][0]` (RFC 9535) or `/lines/0` (RFC 6901). All are read everywhere. */
export type PathForm = 'own' | 'normalized' | 'pointer';

const FORMS = {
  own: native.constants.SW_PATHS_OWN,
  normalized: native.constants.SW_PATHS_NORMALIZED,
  pointer: native.constants.SW_PATHS_POINTER,
};

/**
 * A compiled JSONPath query (RFC 9535).
 *
 *     using dear = Query.parse('$.lines[?@.price > 10].sku');
 *     for (const sku of dear.select(order)) …
 */
export class Query extends Held<Handle> {
  /** @internal */
  constructor(handle: Handle) {
    super(handle, native.queryFree);
  }

  /**
   * Compiles a query; `SW_INVALID_QUERY` says where it is wrong. `maxSteps` is what it may take on one document, 10
   * million by default: a step is one node looked at, or one comparison. More throws `SW_LIMIT`.
   */
  static parse(query: string, options: { maxSteps?: number } = {}): Query {
    const maxSteps = limit('maxSteps', known(options, 'maxSteps').maxSteps);
    return attempt(() => new Query(native.queryParse(text('query', query), maxSteps)));
  }

  /** Everything it finds, in order. */
  select<T = Value>(from: Document): T[] {
    return taken(() => native.querySelect(this.handle, from.handle)) as T[];
  }

  /** What it finds first; it looks no further. Undefined if that is nothing. */
  first<T = Value>(from: Document): T | undefined {
    const found = attempt(() => native.queryFirst(this.handle, from.handle));
    return found === undefined ? undefined : (taken(() => found) as T);
  }

  /** How much it finds. */
  count(from: Document): number {
    return attempt(() => native.queryCount(this.handle, from.handle));
  }

  /** Everything it finds, in order, and where. */
  locate<T = Value>(from: Document, form: PathForm = 'own'): [path: string, value: T][] {
    const paths = choice('form', form, FORMS);
    return taken(() => native.queryLocate(this.handle, from.handle, paths)) as [string, T][];
  }

  /** Puts a value at every place that it finds, and says how many those were. */
  set(at: Document, to: Storable | Document): number {
    return lend(to, (to) => native.querySet(this.handle, at.handle, to));
  }

  /** Removes everything that it finds, and says how much that was. */
  remove(from: Document): number {
    return attempt(() => native.queryRemove(this.handle, from.handle));
  }
}
