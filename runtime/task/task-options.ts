/** How a task runs. */

import type { PlacementOptions } from '../client/placement-options.js';

export interface TaskOptions extends PlacementOptions {
  /** Further tries after its process or node died; -1 for ever. @default 3 */
  readonly retries?: number;
  /** Also try again after errors of the task itself for which this is true. Counts against `retries`. @default none */
  readonly retryOn?: (error: Error) => boolean;
  /** From submission to result, waiting included; then it is cancelled and rejects with `E_TIMEOUT`. @default none */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The process is ended after so many tasks, for code that leaks. @default never */
  readonly maxCalls?: number;
}

export const taskDefaults: { readonly retries: number } = { retries: 3 };
