/** What a patch tells of one step. */

export interface StepReport {
  readonly patch: number;
  readonly step: number;
  /** Time in `advance`. */
  readonly computeMs: number;
  /** Time spent waiting for borders. */
  readonly waitMs: number;
  /** Bytes of the borders that arrived for this step, and of those that left. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Age in steps of the borders read; undefined in steps without any. */
  readonly age: number | undefined;
}
