// The same module for `import`: one copy of the classes, whichever way a program loads them.
import api from './dist/index.js';

export const {
  Document,
  Engine,
  Extended,
  FlowTestError,
  Listing,
  Query,
  Savepoint,
  Schema,
  Space,
  StatewrightError,
  Txn,
  WorkFailure,
  WorkItem,
  answer,
  check,
  operations,
  testFlow,
  version,
} = api;
