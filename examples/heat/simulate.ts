/** The whole plate: on one process, and as patches on a cluster. */

import { runPatches, type StepReport, splitRows } from '../../actors/index.js';
import type { Cluster } from '../../runtime/index.js';
import { heatStep, initialRows, type Plate } from './heat-patch.js';

/** @returns rows × width temperatures after `steps`. */
export function simulateAlone(plate: Plate, steps: number): Float64Array {
  let cells = initialRows(plate, 0, plate.rows);
  for (let step = 0; step < steps; step++) {
    cells = heatStep(cells, plate.width, undefined, undefined);
  }
  return cells;
}

export interface HeatPlan extends Plate {
  readonly patches: number;
  /** 0 is exact; 1 reads rows that are one step old. */
  readonly age: number;
  readonly steps: number;
}

export interface HeatResult {
  readonly cells: Float64Array;
  readonly reports: readonly StepReport[];
}

/** One patch on each of as many nodes as possible. */
export async function simulateOnCluster(cluster: Cluster, plan: HeatPlan): Promise<HeatResult> {
  const { rows, patches, age, steps } = plan;
  const bounds = splitRows(rows, patches);
  const lib = await cluster.load<typeof import('./heat-patch.js')>(
    new URL('./heat-patch.js', import.meta.url),
  );
  await using group = await cluster.group(
    bounds.slice(1).map(() => ({ cpu: 1 })),
    { strategy: 'spread' },
  );
  const handles = await Promise.all(
    bounds.slice(1).map((to, patch) =>
      lib.HeatPatch.create({
        args: [{ patch, patches, age }, plan, [bounds[patch]!, to]],
        bundle: { group, index: patch },
      }),
    ),
  );
  await Promise.all(handles.map((patch) => patch.link(handles)));
  const reports: StepReport[] = [];
  for await (const report of runPatches(handles, 0, steps)) reports.push(report);
  const parts = await Promise.all(handles.map((patch) => patch.rows()));
  const cells = new Float64Array(rows * plan.width);
  for (const [patch, part] of parts.entries()) cells.set(part, bounds[patch]! * plan.width);
  return { cells, reports };
}

export const largestDifference = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);
