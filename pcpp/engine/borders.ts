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
import { needOf, ownSpan, type Span } from '../partition/needs.js';
import type { PatchPlan } from '../partition/plan.js';
import { pickedOuters, rowsAt, type Site } from '../rewrite/sites.js';
import { type Tensor, takeRows, tensor } from '../tensor.js';

/** `borders_in` of one patch, reused from step to step: rows outside the image stay zero. */
export class BorderInlets {
  readonly data: Float32Array;
  /** `in_sizes` of the graph: elements of every node's blocks. */
  readonly sizes: BigInt64Array;
  /** `edge_masks` of a graph in stages: 0 for rows outside the image. */
  readonly masks: Float32Array;
  /** `mask_sizes`. */
  readonly maskSizes: BigInt64Array;
  readonly plan: PatchPlan;
  readonly #patch: number;
  readonly #inlets: readonly Inlet[];

  constructor(plan: PatchPlan, patch: number) {
    this.plan = plan;
    this.#patch = patch;
    this.#inlets = inletsOf(plan, patch);
    this.data = new Float32Array(this.#inlets.reduce((sum, inlet) => sum + inlet.length, 0));
    const masked = this.#inlets.filter(({ site }) => site.kind === 'conv' && site.normalized);
    this.masks = Float32Array.from(masked.flatMap(maskOf));
    this.maskSizes = BigInt64Array.from(masked, ({ count }) => BigInt(count));
    this.sizes = BigInt64Array.from(
      this.#inlets.flatMap(({ site, count }) =>
        site.outers.map((outer) => BigInt(outer * count * site.size)),
      ),
    );
  }

  /** Takes the border regions of a message from patch `from`. */
  take(from: number, payload: Float32Array): void {
    const { regions } = checkedManifest(this.plan, from, this.#patch, payload);
    const side = from < this.#patch ? 0 : 1;
    for (const region of regions) {
      if (region.kind !== 'border') continue;
      const inlet = this.#inlets[2 * region.site + side]!;
      const values = payload.subarray(region.offset, region.offset + region.length);
      this.#place(inlet, partStart(inlet, from), region.span[1] - region.span[0], values);
    }
  }

  /** Takes what a whole-image run cut out for this patch: by node its block before and its block after, unpadded. */
  takeWhole(cut: Float32Array): void {
    let offset = 0;
    for (let index = 0; index < this.#inlets.length; index += 2) {
      const inlets = this.#inlets.slice(index, index + 2);
      const { site } = inlets[0]!;
      if (isFresh(site)) continue;
      let first = 0;
      for (const outer of site.outers) {
        for (const inlet of inlets) {
          const count = inlet.count - inlet.block.zeroRows;
          const length = outer * count * site.size;
          this.#place(inlet, firstPart(inlet), count, cut.subarray(offset, offset + length), first);
          offset += length;
        }
        first += outer;
      }
    }
  }

  /** Takes this step's scaled latent rows, [N, C, rows, W], for convolutions that read the latent. */
  takeLatent(side: Inlet['side'], given: Tensor | undefined): void {
    for (const inlet of this.#inlets) {
      const wanted = inlet.count - inlet.block.zeroRows;
      if (inlet.side !== side || !isFresh(inlet.site) || wanted === 0) continue;
      const { outer, size } = inlet.site;
      const rows = given?.dims[2] ?? 0;
      if (!given || rows < wanted || given.data.length !== outer * rows * size) {
        throw new PcppError(
          'E_SHAPE',
          `patch ${this.#patch} needs ${wanted} latent rows from ${side} its own, got [${given?.dims ?? []}]`,
        );
      }
      // The rows next to the own ones, should more have been given.
      const near =
        side === 'before' ? takeRows(given, rows - wanted, rows) : takeRows(given, 0, wanted);
      this.#place(inlet, firstPart(inlet), wanted, near.data);
    }
  }

  /**
   * @param values [some outer elements, count, size]
   * @param first The first of these outer elements.
   */
  #place(inlet: Inlet, start: number, count: number, values: Float32Array, first = 0): void {
    const { size } = inlet.site;
    const block = inlet.count * size;
    const at = inlet.offset + first * block;
    if (count === inlet.count) {
      this.data.set(values, at);
      return;
    }
    const run = count * size;
    for (let read = 0, write = at + start * size; read < values.length; read += run) {
      this.data.set(values.subarray(read, read + run), write);
      write += block;
    }
  }
}

/** By row of the block whether it lies within the image. */
const maskOf = ({ side, count, block: { zeroRows } }: Inlet): number[] =>
  Array.from({ length: count }, (_, row) =>
    (side === 'before' ? row < zeroRows : row >= count - zeroRows) ? 0 : 1,
  );

/** Padding lies on the far side of the parts: in front of those above, behind those below. */
const firstPart = (inlet: Inlet): number => (inlet.side === 'before' ? inlet.block.zeroRows : 0);

/** Position of the block at which the part of patch `from` begins. */
function partStart(inlet: Inlet, from: number): number {
  const earlier = inlet.block.parts.filter((part) => part.patch < from);
  return earlier.reduce((sum, { span }) => sum + span[1] - span[0], firstPart(inlet));
}

/** `cuts` and `cut_sizes` of the graph: which positions of every sent site a run publishes. */
export interface Cuts {
  readonly positions: BigInt64Array;
  readonly sizes: BigInt64Array;
}

/** Of a displaced step, kept with the plan that they follow. */
export class DisplacedCuts {
  readonly plan: PatchPlan;
  readonly cuts: Cuts;

  constructor(plan: PatchPlan, patch: number) {
    this.plan = plan;
    this.cuts = displacedCuts(plan, patch);
  }
}

/** Of a displaced step: what patch `patch` publishes. */
export const displacedCuts = (plan: PatchPlan, patch: number): Cuts =>
  cutsOf(
    outletsOf(plan, patch).map(({ site, up, down }) => {
      const [start, end] = ownSpan(plan, site, patch);
      const own = ([from, to]: Span): Span => [from - start, to - start];
      return { site, count: end - start, slices: [own(up), own(down)] };
    }),
  );

/** Of a whole-image run: what patch `patch` would have received. */
export const wholeCuts = (plan: PatchPlan, patch: number): Cuts =>
  cutsOf(
    plan.sites.borders
      .filter((site) => !isFresh(site))
      .map((site) => {
        const { before, after } = needOf(plan, site, patch);
        const slices = [before, after].map(({ parts }): Span => {
          const from = parts[0]?.span[0] ?? 0;
          return [from, parts.at(-1)?.span[1] ?? from];
        });
        return { site, count: site.inner * rowsAt(site.level, plan.height), slices };
      }),
  );

interface Cut {
  readonly site: Site;
  /** Positions of the run at the site. */
  readonly count: number;
  readonly slices: readonly Span[];
}

function cutsOf(cuts: readonly Cut[]): Cuts {
  const positions: number[] = [];
  const sizes: number[] = [];
  for (const { site, count, slices } of cuts) {
    for (const outer of pickedOuters(site)) {
      const first = positions.length;
      for (const [from, to] of slices) {
        for (let entry = 0; entry < outer; entry++) {
          for (let at = from; at < to; at++) positions.push(entry * count + at);
        }
      }
      sizes.push(positions.length - first);
    }
  }
  return {
    positions: BigInt64Array.from(positions, BigInt),
    sizes: BigInt64Array.from(sizes, BigInt),
  };
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
    if (region.kind === 'border') {
      packBorder(payload, region, outlets.get(region.site)!, to < from, source.published);
      continue;
    }
    const values = region.kind === 'moments' ? source.moments : source.latent?.data;
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

function packBorder(
  payload: Float32Array,
  region: Region,
  { site, up, down, offset, length }: Outlet,
  upwards: boolean,
  published: Float32Array,
): void {
  if (region.length === length) {
    payload.set(published.subarray(offset, offset + length), region.offset);
    return;
  }
  const [upCount, downCount] = [up[1] - up[0], down[1] - down[0]];
  const [skip, count] = upwards ? [0, upCount] : [upCount, downCount];
  let read = offset;
  let write = region.offset;
  for (const outer of site.outers) {
    const run = outer * count * site.size;
    const start = read + outer * skip * site.size;
    payload.set(published.subarray(start, start + run), write);
    write += run;
    read += outer * (upCount + downCount) * site.size;
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
