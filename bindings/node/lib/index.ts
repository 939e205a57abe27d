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
export { check, Engine, version, type EngineOptions, type StartOptions } from './engine';
export { StatewrightError, type ErrorDetails, type StatusName } from './errors';
export { Listing } from './listing';
export { Space, type Json, type JsonListOptions, type Key, type Kv, type KvListOptions } from './store';
export { Txn, type TransactOptions, type TxnOptions, type TxnSpace } from './txn';
export type { Storable, Value } from './values';
export { WorkFailure, WorkItem } from './work';
export type { FailureReason, Handler, PollOptions, WorkerOptions } from './work';
