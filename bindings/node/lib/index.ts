// @statewright/node: durable state and durable workflows. Begin with `Engine`.

export type {
  CaseListOptions,
  CaseState,
  CaseStatus,
  Deployed,
  HistoryEvent,
  ItemInfo,
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
export type { Delivery, TakeOptions, WorkInfo, WorkListOptions, WorkState } from './inbox';
export { StatewrightError, type ErrorDetails, type StatusName } from './errors';
export { Extended, type ExtendedKind } from './extended';
export { answer, FlowTestError, testFlow } from './flowtest';
export type { FlowTest, FlowTestAnswer, FlowTestOptions, FlowTestReport } from './flowtest';
export { Listing } from './listing';
export type { Schedule } from './schedules';
export { Query, type PathForm } from './query';
export { Schema, type SchemaOptions, type Violation } from './schema';
export type { Mode } from './caller';
export type { Json, JsonListOptions, PatchOperation } from './json';
export type { Kv, KvScanOptions, MergeStrategy, PutOptions } from './kv';
export type {
  Cells,
  EventOptions,
  Events,
  Run,
  RunDifference,
  RunListOptions,
  RunOptions,
  Runs,
  RunStatus,
  StreamEvent,
  StreamInfo,
  Trace,
  TraceListOptions,
  TraceOptions,
  Traces,
} from './records';
export type { Key, PageOptions, Past, SpanOptions, Stored, Version } from './state';
export { Space, type SpaceInfo, type Spaces } from './store';
export { Savepoint, Txn, type TransactOptions, type TxnOptions, type TxnSpace } from './txn';
export type { Storable, Value } from './values';
export type {
  CasePlan,
  FlowInfo,
  FlowVersion,
  Fork,
  ForkOptions,
  MigrateOptions,
  Migration,
  Plan,
  PlanOptions,
} from './versions';
export { WorkFailure, WorkItem } from './work';
export type { FailureReason, Handler, PollOptions, WorkOutcome, WorkerOptions } from './work';
