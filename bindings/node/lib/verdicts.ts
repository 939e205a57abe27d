// What the library says of each of several that went to it in one call.

import { refusal, type StatewrightError } from './errors';
import { decode } from './values';

interface Told {
  case?: string;
  error?: Record<string, unknown>;
}

/** For each of several outcomes of work nothing, or why it was refused. */
export const readVerdicts = (bytes: Uint8Array): (StatewrightError | undefined)[] =>
  (decode(bytes) as (Told | null)[]).map((told) => (told?.error ? refusal(told.error) : undefined));

/** For each of several cases its id, or why it was refused. */
export const readStarted = (bytes: Uint8Array): (string | StatewrightError)[] =>
  (decode(bytes) as Told[]).map((told) => (told.error ? refusal(told.error) : String(told.case)));
