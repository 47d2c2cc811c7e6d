/** What the steps of an image compute. */

/**
 * `warmup`: the whole image, of which everyone knows all. `displaced`: own rows, with the others' borders of steps before.
 * `cooldown`: the whole image, whose rows the others tell as the step before has left them. The very last step is a displaced
 * one after them: it finds borders in the run before, and changes next to nothing.
 */
export type StepKind = 'warmup' | 'displaced' | 'cooldown';

/**
 * How the first steps are computed. `whole`: as `warmup`, all of them. `patch`: only the very first is such a step; in the others
 * each device computes its own rows twice, the second time with borders that all have told of the first.
 */
export type WarmupKind = 'whole' | 'patch';

export const warmupKinds: readonly WarmupKind[] = ['whole', 'patch'];

/**
 * How many a request has that does not say: a step in twenty at the start, at least one, for more changes nothing that one could see;
 * a step in ten at the end, at most two, for what shows of stale borders is mended by then (docs/fidelity.md).
 */
export const defaultWarmup = (evaluations: number): number =>
  Math.max(1, Math.round(evaluations / 20));
export const defaultCooldown = (evaluations: number): number =>
  Math.min(2, Math.round(evaluations / 10));

export interface StepCounts {
  /** All of them. */
  readonly evaluations: number;
  /** At the start. */
  readonly warmupSteps: number;
  /** How those are computed. @default 'whole' */
  readonly warmup?: WarmupKind;
  /** Before the last one. */
  readonly cooldownSteps: number;
}

/** The first step of the cool-down; the number of steps if there is none. */
export const cooldownStart = ({
  evaluations,
  cooldownSteps,
}: Pick<StepCounts, 'evaluations' | 'cooldownSteps'>): number =>
  cooldownSteps > 0 ? evaluations - 1 - cooldownSteps : evaluations;

/** Steps at the start that every device computes of the whole image: borders have to come from somewhere. */
export const wholeSteps = ({
  warmup,
  warmupSteps,
}: Pick<StepCounts, 'warmup' | 'warmupSteps'>): number => (warmup === 'patch' ? 1 : warmupSteps);

/** @returns undefined for a step that the image has not. */
export function kindOfStep(counts: StepCounts, step: number): StepKind | undefined {
  const { evaluations } = counts;
  if (step < 0 || step >= evaluations) return undefined;
  if (step < wholeSteps(counts)) return 'warmup';
  return step < cooldownStart(counts) || step === evaluations - 1 ? 'displaced' : 'cooldown';
}
