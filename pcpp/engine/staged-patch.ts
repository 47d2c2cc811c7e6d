/**
 * One patch of a graph that is computed in stages. After each stage the patches tell each other what the next one reads,
 * so that nothing is ever stale: the result is the whole image's, but for rounding.
 *
 * No network and no clock: the caller carries messages.
 */

import { PcppError } from '../errors.js';
import { feedScalar } from '../model/feed.js';
import type { Value, Values } from '../onnx/session.js';
import { flatFloats, flatIntegers, floatsOf } from '../onnx/values.js';
import { latentRows, manifestOf } from '../partition/manifest.js';
import { type PatchPlan, patchCount, rowsOf } from '../partition/plan.js';
import { ownShare, rowSpan, sitePorts } from '../rewrite/site-ports.js';
import { type Tensor, takeRows } from '../tensor.js';
import {
  BorderInlets,
  type Cuts,
  displacedCuts,
  latentOf,
  momentsOf,
  packMessage,
} from './borders.js';
import { groupNormTerms, momentsOfRows } from './group-norm.js';
import { predictionOf, sampleFeeds } from './latent-tokens.js';
import type { StagedSessions } from './staged-sessions.js';

/** What is told after one stage, and read in the next. */
interface Exchange {
  readonly plan: PatchPlan;
  readonly inlets: BorderInlets;
  readonly cuts: Cuts;
  /** Patches that say something or are told something. */
  readonly partners: readonly number[];
}

export interface StagedInput {
  /** Own rows, [N, C, rows, W], as the model wants them. */
  readonly sample: Tensor;
  /** Of a denoiser. */
  readonly timestep?: number;
  /** The model's other inputs. */
  readonly others?: Values;
  /** The upper neighbour's last rows of the same sample; where `halo` says that it is read. */
  readonly haloAbove?: Tensor | undefined;
  /** The lower neighbour's first rows. */
  readonly haloBelow?: Tensor | undefined;
}

export class StagedPatch {
  readonly plan: PatchPlan;
  readonly index: number;
  readonly #sessions: StagedSessions;
  /** By the stage after which they take place. */
  readonly #exchanges: readonly Exchange[];
  /** What stages hand over to later ones, and the model's inputs that are still to be read. */
  readonly #values = new Map<string, Value>();
  #published: Float32Array = new Float32Array(0);
  /** Own, of the stage before. */
  #moments: Float32Array = new Float32Array(0);
  #output: Tensor | undefined;

  /** @param plan Made from the graph's sites, by `planFresh`. */
  constructor(sessions: StagedSessions, plan: PatchPlan, index: number) {
    if (!(Number.isInteger(index) && index >= 0 && index < patchCount(plan))) {
      throw new PcppError('E_PARTITION', `no patch ${index} among ${patchCount(plan)}`);
    }
    this.plan = plan;
    this.index = index;
    this.#sessions = sessions;
    this.#exchanges = sessions.graph.stages.map(({ sites }) =>
      exchangeOf({ ...plan, sites }, index),
    );
  }

  /** Stages of one run. */
  get stages(): number {
    return this.#exchanges.length;
  }

  /** Whom a message goes to after `stage`, and from whom one comes before the next: an empty one may be among them. */
  partners(stage: number): readonly number[] {
    return this.#exchanges[stage]!.partners;
  }

  /** Rows of `from` that belong to this patch's halo, [from, to) of the image's sample; undefined if none are read. */
  halo(from: number): readonly [from: number, to: number] | undefined {
    if (from < 0 || from >= patchCount(this.plan)) return undefined;
    return latentRows(this.#exchanges.at(-1)!.plan, from, this.index);
  }

  /** The rows of the latent that a message of the last stage holds: [1, C, rows, W]. */
  latentFrom(from: number, message: Float32Array): Tensor | undefined {
    return latentOf(this.#exchanges.at(-1)!.plan, from, this.index, message);
  }

  /** A new run. @throws PcppError `E_SHAPE` if a tensor has not the plan's size. */
  begin({ sample, timestep, others = {}, haloAbove, haloBelow }: StagedInput): void {
    const { plan, index } = this;
    const wanted = [plan.batch, plan.sites.channels, rowsOf(plan, index), plan.width];
    if (sample.dims.length !== 4 || wanted.some((dim, axis) => dim !== sample.dims[axis])) {
      throw new PcppError('E_SHAPE', `patch ${index} takes [${wanted}], got [${sample.dims}]`);
    }
    const { inlets } = this.#exchanges.at(-1)!;
    inlets.takeLatent('before', haloAbove);
    inlets.takeLatent('after', haloBelow);
    this.#output = undefined;
    this.#values.clear();
    for (const [name, value] of Object.entries(others)) this.#values.set(name, value);
    const { graph } = this.#sessions;
    const rows = [plan.bounds[index]!, plan.bounds[index + 1]!] as const;
    for (const [name, value] of Object.entries(sampleFeeds(graph, sample, rows))) {
      this.#values.set(name, value);
    }
    const port = this.#sessions.port('timestep');
    if (port) this.#values.set(port.name, feedScalar(port, timestep ?? 0));
  }

  /**
   * @param messages By sender, what the partners of the stage before said; not read by the first.
   * @throws PcppError `E_SHAPE` if one is missing or has not the plan's size.
   */
  async advance(stage: number, messages: ReadonlyMap<number, Float32Array>): Promise<void> {
    const { plan, index } = this;
    const before = this.#exchanges.at(stage - 1)!;
    const b = stage > 0 ? this.#hear(before, messages) : undefined;
    const { cuts, plan: told } = this.#exchanges[stage]!;
    const heard = sitePorts((stage + this.stages - 1) % this.stages);
    const said = sitePorts(stage);
    const left = await this.#sessions.run(stage, this.#values, {
      [heard.bordersIn]: flatFloats(before.inlets.data),
      [heard.inSizes]: flatIntegers(before.inlets.sizes),
      [heard.edgeMasks]: flatFloats(before.inlets.masks),
      [heard.maskSizes]: flatIntegers(before.inlets.maskSizes),
      ...(b ? { [heard.gnB]: flatFloats(b) } : {}),
      [said.cuts]: flatIntegers(cuts.positions),
      [said.cutSizes]: flatIntegers(cuts.sizes),
      [ownShare]: flatFloats(Float32Array.of(rowsOf(plan, index) / plan.height)),
      [rowSpan]: flatIntegers(
        BigInt64Array.from([plan.bounds[index]!, plan.bounds[index + 1]!, plan.height], BigInt),
      ),
    });
    const rows = rowsOf(plan, index);
    this.#published = floatsOf(left[said.bordersOut]);
    this.#moments = momentsOfRows(told, floatsOf(left[said.gnRows]), rows, 0, rows);
    const output = left[this.#sessions.graph.output];
    if (output) {
      const { dims } = output;
      const given = { dims, data: floatsOf(output) };
      this.#output = predictionOf(this.#sessions.graph, given, plan.width);
    }
  }

  /**
   * The message to a partner after `stage`.
   *
   * @param latent After the last stage: own rows as they enter the next run, [1, C, rows, W], before any scaling.
   */
  outbound(to: number, stage: number, latent?: Tensor): Float32Array {
    const { plan } = this.#exchanges[stage]!;
    const rows = latentRows(plan, this.index, to);
    const first = plan.bounds[this.index]!;
    return packMessage(plan, this.index, to, {
      published: this.#published,
      moments: this.#moments,
      latent: latent && rows && takeRows(latent, rows[0] - first, rows[1] - first),
    });
  }

  /** What the model gives for own rows, after the last stage. */
  get output(): Tensor {
    if (!this.#output)
      throw new PcppError('E_OPTION', 'there is a result only after the last stage');
    return this.#output;
  }

  /** Fills the inlets. @returns The other patches' part of the moments. */
  #hear({ plan, inlets }: Exchange, messages: ReadonlyMap<number, Float32Array>): Float32Array {
    const moments = [...Array(patchCount(plan)).keys()].map((from) => {
      if (from === this.index) return this.#moments;
      if (manifestOf(plan, from, this.index).length === 0) return new Float32Array(0);
      const message = messages.get(from);
      if (!message) {
        throw new PcppError('E_SHAPE', `patch ${this.index} has no message from patch ${from}`);
      }
      inlets.take(from, message);
      return momentsOf(plan, from, this.index, message) ?? new Float32Array(0);
    });
    return groupNormTerms(plan, this.index, moments).b;
  }
}

function exchangeOf(plan: PatchPlan, index: number): Exchange {
  const others = [...Array(patchCount(plan)).keys()].filter((other) => other !== index);
  return {
    plan,
    inlets: new BorderInlets(plan, index),
    cuts: displacedCuts(plan, index),
    partners: others.filter((other) =>
      // Both ways, so that none of the two runs ahead.
      [manifestOf(plan, index, other), manifestOf(plan, other, index)].some(
        ({ length }) => length > 0,
      ),
    ),
  };
}
