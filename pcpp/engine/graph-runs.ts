/**
 * How often a patch runs its graph in an image: once for each step, but twice for warm-up steps that are computed by patches.
 * The first of the two reads borders of the step before, and the second what all have told of the first.
 */

import { type StepCounts, wholeSteps } from './step-kind.js';

/** Counted through from 0 over all steps. */
export interface GraphRuns {
  readonly firstOf: (step: number) => number;
  readonly stepOf: (run: number) => number;
}

export function graphRuns(settings: Pick<StepCounts, 'warmup' | 'warmupSteps'>): GraphRuns {
  const whole = wholeSteps(settings);
  const repeated = settings.warmupSteps - whole;
  const firstOf = (step: number): number => step + Math.min(Math.max(step - whole, 0), repeated);
  const stepOf = (run: number): number => {
    const after = run - whole;
    if (after < 0) return run;
    return after < 2 * repeated ? whole + Math.floor(after / 2) : run - repeated;
  };
  return { firstOf, stepOf };
}
