// The same module for `import`: one copy of the classes, whichever way a program loads them.
import api from './dist/index.js';

export const {
  Document,
  Engine,
  Extended,
  Listing,
  Query,
  Savepoint,
  Schema,
  Space,
  StatewrightError,
  Txn,
  WorkFailure,
  WorkItem,
  check,
  operations,
  version,
} = api;
