/** Moves rows between messages and the flat border tensors of a patch graph, as the plan's manifests lay them out. */

import { PcppError } from '../errors.js';
import {
  type Inlet,
  inletsOf,
  isFresh,
  latentRows,
  type Manifest,
  manifestOf,
  type Outlet,
  outletsOf,
  type Region,
} from '../partition/manifest.js';
import { ownRows } from '../partition/needs.js';
import type { PatchPlan } from '../partition/plan.js';
import { type Tensor, takeRows, tensor } from '../tensor.js';

/** `borders_in` of one patch, reused from step to step: rows outside the image stay zero. */
export class BorderInlets {
  readonly data: Float32Array;
  /** `in_sizes` of the graph: elements of every block. */
  readonly sizes: BigInt64Array;
  readonly #plan: PatchPlan;
  readonly #patch: number;
  readonly #inlets: readonly Inlet[];

  constructor(plan: PatchPlan, patch: number) {
    this.#plan = plan;
    this.#patch = patch;
    this.#inlets = inletsOf(plan, patch);
    this.data = new Float32Array(this.#inlets.reduce((sum, inlet) => sum + inlet.length, 0));
    this.sizes = BigInt64Array.from(this.#inlets, (inlet) => BigInt(inlet.length));
  }

  /** Takes the border rows of a message from patch `from`. */
  take(from: number, payload: Float32Array): void {
    const { regions } = checkedManifest(this.#plan, from, this.#patch, payload);
    const side = from < this.#patch ? 0 : 1;
    for (const region of regions) {
      if (region.kind !== 'border') continue;
      const inlet = this.#inlets[2 * region.site + side]!;
      const values = payload.subarray(region.offset, region.offset + region.length);
      this.#place(inlet, partRow(inlet, from), region.rows[1] - region.rows[0], values);
    }
  }

  /** Takes what a whole-image run cut out for this patch: every block without its padding, in order. */
  takeWhole(cut: Float32Array): void {
    let offset = 0;
    for (const inlet of this.#inlets) {
      if (isFresh(inlet.site)) continue;
      const rows = inlet.rows - inlet.block.zeroRows;
      const length = inlet.site.outer * rows * inlet.site.rowSize;
      this.#place(inlet, firstRow(inlet), rows, cut.subarray(offset, offset + length));
      offset += length;
    }
  }

  /** Takes this step's scaled latent rows, [N, C, rows, W], for convolutions that read the latent. */
  takeLatent(side: Inlet['side'], given: Tensor | undefined): void {
    for (const inlet of this.#inlets) {
      const wanted = inlet.rows - inlet.block.zeroRows;
      if (inlet.side !== side || !isFresh(inlet.site) || wanted === 0) continue;
      const { outer, rowSize } = inlet.site;
      const rows = given?.dims[2] ?? 0;
      if (!given || rows < wanted || given.data.length !== outer * rows * rowSize) {
        throw new PcppError(
          'E_SHAPE',
          `patch ${this.#patch} needs ${wanted} latent rows from ${side} its own, got [${given?.dims ?? []}]`,
        );
      }
      // The rows next to the own ones, should more have been given.
      const near =
        side === 'before' ? takeRows(given, rows - wanted, rows) : takeRows(given, 0, wanted);
      this.#place(inlet, firstRow(inlet), wanted, near.data);
    }
  }

  /** @param values [outer, rows, rowSize] */
  #place(inlet: Inlet, start: number, rows: number, values: Float32Array): void {
    const { outer, rowSize } = inlet.site;
    if (rows === inlet.rows) {
      this.data.set(values, inlet.offset);
      return;
    }
    const run = rows * rowSize;
    for (let entry = 0; entry < outer; entry++) {
      const at = inlet.offset + (entry * inlet.rows + start) * rowSize;
      this.data.set(values.subarray(entry * run, (entry + 1) * run), at);
    }
  }
}

/** Padding lies on the far side of the parts: in front of those above, behind those below. */
const firstRow = (inlet: Inlet): number => (inlet.side === 'before' ? inlet.block.zeroRows : 0);

/** Row of the block at which the part of patch `from` begins. */
function partRow(inlet: Inlet, from: number): number {
  const earlier = inlet.block.parts.filter((part) => part.patch < from);
  return earlier.reduce((sum, { rows }) => sum + rows[1] - rows[0], firstRow(inlet));
}

/** `cuts` of a displaced step: what patch `patch` publishes, in positions of its own tensors. */
export function displacedCuts(plan: PatchPlan, patch: number): BigInt64Array {
  return BigInt64Array.from(
    outletsOf(plan, patch).flatMap(({ site, up, down }) => {
      const [start] = ownRows(plan, site, patch);
      return [...up, ...down].map((row) => BigInt((row - start) * site.inner));
    }),
  );
}

/** `cuts` of a whole-image run: what patch `patch` would have received. */
export function wholeCuts(plan: PatchPlan, patch: number): BigInt64Array {
  const cuts: bigint[] = [];
  for (const { site, block } of inletsOf(plan, patch)) {
    if (isFresh(site)) continue;
    const from = block.parts[0]?.rows[0] ?? 0;
    const to = block.parts.at(-1)?.rows[1] ?? from;
    cuts.push(BigInt(from * site.inner), BigInt(to * site.inner));
  }
  return BigInt64Array.from(cuts);
}

/** What a message is made of. */
export interface StepResults {
  /** `borders_out` of a displaced step. */
  readonly published: Float32Array;
  /** Own moments of that step. */
  readonly moments: Float32Array;
  /** Own rows of the latent after the sampler step, [1, C, rows, W]; zeros are sent when left out. */
  readonly latent?: Tensor | undefined;
}

/** The message of patch `from` to patch `to`. @throws PcppError `E_SHAPE` if the latent has not the rows it needs. */
export function packMessage(
  plan: PatchPlan,
  from: number,
  to: number,
  source: StepResults,
): Float32Array {
  const manifest = manifestOf(plan, from, to);
  const outlets = new Map(outletsOf(plan, from).map((outlet) => [outlet.site.id, outlet]));
  const payload = new Float32Array(manifest.length);
  for (const region of manifest.regions) {
    const values = regionValues(region, outlets, to < from, source);
    if (values && values.length !== region.length) {
      throw new PcppError(
        'E_SHAPE',
        `the ${region.kind} region to patch ${to} holds ${region.length} values, got ${values.length}`,
      );
    }
    if (values) payload.set(values, region.offset);
  }
  return payload;
}

function regionValues(
  region: Region,
  outlets: ReadonlyMap<number, Outlet>,
  upwards: boolean,
  source: StepResults,
): Float32Array | undefined {
  switch (region.kind) {
    case 'moments':
      return source.moments;
    case 'latent':
      return source.latent?.data;
    case 'border': {
      const { site, up, down, offset } = outlets.get(region.site)!;
      const upLength = site.outer * (up[1] - up[0]) * site.rowSize;
      const inUp = upwards || down[0] === down[1];
      const start = inUp ? offset : offset + upLength;
      return source.published.subarray(start, start + region.length);
    }
  }
}

/** The sender's latent rows in a message: [1, C, rows, W], unscaled; undefined if `to` needs none of `from`. */
export function latentOf(
  plan: PatchPlan,
  from: number,
  to: number,
  payload: Float32Array,
): Tensor | undefined {
  const { regions } = checkedManifest(plan, from, to, payload);
  const region = regions.find((entry) => entry.kind === 'latent');
  const rows = latentRows(plan, from, to);
  if (!region || !rows) return undefined;
  const values = payload.slice(region.offset, region.offset + region.length);
  return tensor([1, plan.sites.channels, rows[1] - rows[0], plan.width], values);
}

/** The sender's moments in a message; undefined in `local` mode. */
export function momentsOf(
  plan: PatchPlan,
  from: number,
  to: number,
  payload: Float32Array,
): Float32Array | undefined {
  const { regions } = checkedManifest(plan, from, to, payload);
  const region = regions.find((entry) => entry.kind === 'moments');
  return region && payload.slice(region.offset, region.offset + region.length);
}

function checkedManifest(
  plan: PatchPlan,
  from: number,
  to: number,
  payload: Float32Array,
): Manifest {
  const manifest = manifestOf(plan, from, to);
  if (payload.length !== manifest.length) {
    throw new PcppError(
      'E_SHAPE',
      `the message from patch ${from} to ${to} has ${payload.length} values, the plan says ${manifest.length}`,
    );
  }
  return manifest;
}
