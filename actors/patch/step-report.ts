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
  /** Age in steps of the borders read, of the oldest; undefined in steps without any. */
  readonly age: number | undefined;
  /** Borders that were older than the patch's age. */
  readonly late: number;
}

/** One step that was computed in several phases. @param age Of the borders it read, in steps. */
export const joinReports = (
  phases: readonly StepReport[],
  step: number,
  age: number | undefined,
): StepReport => {
  const sum = (of: (report: StepReport) => number): number =>
    phases.reduce((all, report) => all + of(report), 0);
  return {
    patch: phases[0]!.patch,
    step,
    computeMs: sum(({ computeMs }) => computeMs),
    waitMs: sum(({ waitMs }) => waitMs),
    bytesIn: sum(({ bytesIn }) => bytesIn),
    bytesOut: sum(({ bytesOut }) => bytesOut),
    age,
    late: sum(({ late }) => late),
  };
};
