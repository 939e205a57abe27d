/** Versions of flows, and cases that are moved from one to another. */

import { camelCased, type CaseStatus } from './cases';
import { decode } from './values';

/** A deployed flow with everything that was deployed under its name. */
export interface FlowInfo {
  name: string;
  versions: FlowVersion[];
}

/** One version of a flow. Two that state the same number and differ in content or folder are two. */
export interface FlowVersion {
  version: number;
  /** Names the exact content. */
  key: string;
  dir: string | null;
  /** Whether new cases run on it. */
  newest: boolean;
  /** How many cases run on it. */
  open: number;
  /** How many ran on it. */
  ended: number;
}

/** What moving one case to another version would do, or did. */
export interface CasePlan {
  case: string;
  /** The version that it runs on, or ran on. */
  version: number;
  key: string;
  status: CaseStatus;
  /** Why it cannot be moved; empty if it can. */
  reasons: string[];
  /** What happens to it at once. */
  follows: string[];
}

/** What moving the open cases of a flow to another version would do. */
export interface Plan {
  flow: string;
  version: number;
  key: string;
  cases: CasePlan[];
}

/** What moving cases did. */
export interface Migration {
  /** For `undoMigration`; null if no case was moved. */
  id: string | null;
  flow: string;
  version: number;
  moved: CasePlan[];
  left: CasePlan[];
}

/** Where the other version comes from, and what is called otherwise in it. */
export interface PlanOptions {
  dir?: string;
  /** What tasks, places and flows under `flows` of the old versions are called in the new one. */
  renames?: Record<string, string>;
}

/** How cases are moved. */
export interface MigrateOptions extends PlanOptions {
  /** How many cases one commit moves, 1 to 4096; 256 unless told otherwise. */
  cohort?: number;
  /** Only these cases; else all that are open. */
  cases?: string[];
}

/** How a case is forked. */
export interface ForkOptions {
  /** The new case's id; else one is made. */
  id?: string;
  /** Whether work that the case completed later is given to the new one, when it asks for the same with the same input. */
  results?: boolean;
}

/** A case that was made of another one. */
export interface Fork {
  case: string;
  /** The last event of the other that is its own too. */
  at: number;
  /** How many recorded results were given to it. */
  results: number;
}

/** The library's words for an answer, as an object of ours. */
export function readAnswer<T>(bytes: Uint8Array): T {
  return camelCased(decode(bytes)) as T;
}
