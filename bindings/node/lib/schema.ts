// JSON Schema.

import { native } from './addon';
import { Document, lend } from './document';
import { Held, limit } from './held';
import type { Schema as Handle } from './native';
import { known } from './state';
import { decode, encode, type Storable } from './values';

/** How a schema is compiled and used. */
export interface SchemaOptions {
  /** A text that does not have its `format` is a violation; by default formats are remarks. */
  checkFormats?: boolean;
  /** The version of JSON Schema for a schema without `$schema`; 202012 by default. */
  draft?: 4 | 6 | 7 | 201909 | 202012;
  /** The most violations that are reported of one value; 1000 by default. */
  maxViolations?: number;
  /** The most looks into a container that one validation takes; 10^9 by default. */
  maxSteps?: number;
  /** The other schemas that `$ref`s lead to, by their absolute URIs. Nothing is ever fetched. */
  documents?: Record<string, Storable>;
}

/** One way in which a value does not satisfy a schema. */
export interface Violation {
  /** The place in the value. */
  path: string;
  /** The violated keyword's place in the schema, a JSON Pointer. */
  schemaPath: string;
  /** The violated keyword, such as `minLength`. */
  keyword: string;
  /** What was expected and what is there. */
  message: string;
  /** For `anyOf` and `oneOf`: what is wrong by each alternative. */
  alternatives?: Violation[][];
}

/**
 * A compiled JSON Schema: 2020-12, 2019-09, 7, 6 or 4.
 *
 *     using schema = Schema.compile({ type: 'object', required: ['name'] });
 *     for (const { path, message } of schema.violations(order)) …
 */
export class Schema extends Held<Handle> {
  /** @internal */
  constructor(handle: Handle) {
    super(handle, native.schemaFree);
  }

  /** Compiles a schema; `SW_INVALID_SCHEMA` says where it is wrong. */
  static compile(source: Storable | Document, options: SchemaOptions = {}): Schema {
    known(options, 'checkFormats', 'draft', 'maxViolations', 'maxSteps', 'documents');
    const how = {
      flags: options.checkFormats ? native.constants.SW_SCHEMA_CHECK_FORMATS : 0,
      draft: options.draft ?? 0,
      maxViolations: options.maxViolations ?? 0,
      maxSteps: limit('maxSteps', options.maxSteps),
    };
    return lend(source, (source) => {
      const documents = encode(options.documents ?? {});
      return new Schema(native.schemaCompile(source, documents, how));
    });
  }

  /** A schema (2020-12) that all samples, an array, satisfy, as tight as they suggest. */
  static infer(samples: Storable[] | Document): Document {
    return lend(samples, (samples) => new Document(native.schemaInfer(samples)));
  }

  /** Throws `SW_SCHEMA_VIOLATION`, with the first of what is wrong, if a value does not satisfy the schema. */
  validate(value: Storable | Document): void {
    lend(value, (value) => native.schemaValidate(this.handle, value));
  }

  /** Everything that is wrong with a value; empty if it satisfies the schema. */
  violations(value: Storable | Document): Violation[] {
    const found = lend(value, (value) => native.schemaViolations(this.handle, value));
    return shown(decode(found) as unknown as Reported[]);
  }
}

interface Reported extends Omit<Violation, 'schemaPath' | 'alternatives'> {
  schema_path: string;
  alternatives?: Reported[][];
}

function shown(reported: Reported[]): Violation[] {
  return reported.map(({ path, schema_path: schemaPath, keyword, message, alternatives }) => ({
    path,
    schemaPath,
    keyword,
    message,
    ...(alternatives && { alternatives: alternatives.map(shown) }),
  }));
}
