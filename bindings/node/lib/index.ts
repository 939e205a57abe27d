// @statewright/node: durable state and durable workflows. Begin with `Engine`.

export type {
  CaseListOptions,
  CaseState,
  CaseStatus,
  Deployed,
  HistoryEvent,
  Problem,
  Stats,
  Waiting,
} from './cases';
export type { WaitOptions } from './completions';
export {
  Document,
  type Conflict,
  type JsonStyle,
  type Kind,
  type Merged,
  type MergeOptions,
  type ReadOptions,
} from './document';
export {
  check,
  Engine,
  operations,
  version,
  type Call,
  type EngineOptions,
  type Operation,
  type StartOptions,
} from './engine';
export { StatewrightError, type ErrorDetails, type StatusName } from './errors';
export { Extended, type ExtendedKind } from './extended';
export { Listing } from './listing';
export { Query, type PathForm } from './query';
export { Schema, type SchemaOptions, type Violation } from './schema';
export { Space, type Json, type JsonListOptions, type Key, type Kv, type KvListOptions } from './store';
export { Txn, type TransactOptions, type TxnOptions, type TxnSpace } from './txn';
export type { Storable, Value } from './values';
export { WorkFailure, WorkItem } from './work';
export type { FailureReason, Handler, PollOptions, WorkerOptions } from './work';
