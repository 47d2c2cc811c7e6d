/**
 * One patch's denoiser: a patch graph in a session, and the memory of one step.
 *
 * No network and no clock: the caller carries messages. Whole-image steps need none; displaced steps use what the others
 * computed one step before.
 */

import { PcppError } from '../errors.js';
import { feedScalar } from '../model/feed.js';
import { Session, type SessionOptions, type Value, type Values } from '../onnx/session.js';
import { flatFloats, flatIntegers, floatsOf } from '../onnx/values.js';
import { latentRows, manifestOf, wholePlan } from '../partition/manifest.js';
import { type PatchPlan, patchCount, rowsOf } from '../partition/plan.js';
import type { PatchGraph } from '../rewrite/compile.js';
import { ownShare, rowSpan, sitePorts } from '../rewrite/site-ports.js';
import { type Tensor, takeRows } from '../tensor.js';
import {
  BorderInlets,
  type Cuts,
  DisplacedCuts,
  momentsOf,
  packMessage,
  wholeCuts,
} from './borders.js';
import { type GroupNormTerms, groupNormTerms, momentsOfRows, wholeTerms } from './group-norm.js';
import { predictionOf, sampleFeeds } from './latent-tokens.js';

export interface WholeInput {
  /** [N, C, H, W], scaled as the model wants it. */
  readonly sample: Tensor;
  readonly timestep: number;
  /** The model's other inputs: encoder_hidden_states, and for SDXL text_embeds and time_ids. */
  readonly conditioning: Values;
}

export interface DisplacedInput extends WholeInput {
  /** Own rows: [N, C, rows, W], scaled. */
  readonly sample: Tensor;
  /** The upper neighbour's last latent rows of this step, [N, C, rows, W], scaled; not for the first patch. */
  readonly haloAbove?: Tensor | undefined;
  /** The lower neighbour's first latent rows of this step; not for the last patch. */
  readonly haloBelow?: Tensor | undefined;
  /**
   * By sender, what every other patch published `plan.age` steps before; not read in that many steps after a whole-image
   * one.
   */
  readonly borders?: ReadonlyMap<number, Float32Array>;
  /**
   * Where border fractions change within an image: the plan by which the borders of this step lie, and the one for what it
   * publishes. The steps that read what a whole-image step has cut follow the denoiser's own. @default the denoiser's own
   */
  readonly plans?: StepPlans;
}

export interface StepPlans {
  readonly reads: PatchPlan;
  readonly publishes: PatchPlan;
}

const names = sitePorts();

/** What the steps before left behind. */
interface Memory {
  /** Everyone's moments in the last whole-image step. */
  readonly whole: readonly Float32Array[];
  /** Own moments in the displaced steps since, at most the last `plan.age` of them. */
  readonly own: readonly Float32Array[];
  /** Of the last step, if it was a displaced one. */
  readonly published?: { readonly plan: PatchPlan; readonly borders: Float32Array };
}

export class PatchDenoiser implements AsyncDisposable {
  readonly plan: PatchPlan;
  readonly index: number;
  readonly graph: PatchGraph;
  readonly #session: Session;
  readonly #wholeInlets: BorderInlets;
  readonly #wholeCuts: Cuts;
  #inlets: BorderInlets;
  #cuts: DisplacedCuts;
  #memory: Memory | undefined;

  private constructor(graph: PatchGraph, plan: PatchPlan, index: number, session: Session) {
    this.plan = plan;
    this.index = index;
    this.graph = graph;
    this.#session = session;
    this.#inlets = new BorderInlets(plan, index);
    this.#wholeInlets = new BorderInlets(wholePlan(plan), 0);
    this.#cuts = new DisplacedCuts(plan, index);
    this.#wholeCuts = wholeCuts(plan, index);
  }

  /**
   * @param index Patch number, 0 on top.
   * @throws PcppError `E_PARTITION` if the plan has no such patch or patches too thin for the model's convolutions,
   *   `E_SESSION` if ONNX Runtime refuses the graph.
   */
  static async open(
    graph: PatchGraph,
    plan: PatchPlan,
    index: number,
    options: Pick<SessionOptions, 'threads' | 'provider'> = {},
  ): Promise<PatchDenoiser> {
    requirePatch(plan, index);
    const session = await Session.open(graph.bytes, {
      ...options,
      ...(graph.externalDataFolder ? { externalDataFolder: graph.externalDataFolder } : {}),
    });
    return new PatchDenoiser(graph, plan, index, session);
  }

  /**
   * A denoiser for another image, or another patch, in the same session; it has a memory of its own. The session ends
   * with whichever of them is disposed first.
   *
   * @param plan Made from the same graph's sites.
   * @throws PcppError `E_PARTITION`, as `open`.
   */
  replan(plan: PatchPlan, index: number): PatchDenoiser {
    requirePatch(plan, index);
    return new PatchDenoiser(this.graph, plan, index, this.#session);
  }

  /**
   * A whole-image step. It remembers everyone's borders and moments, so the first displaced step needs no message.
   *
   * @returns Predicted noise of the whole image, [N, C, H, W].
   * @throws PcppError `E_SHAPE` if the sample has not the plan's size.
   */
  async whole(input: WholeInput): Promise<Tensor> {
    const { plan } = this;
    const results = await this.#run(
      input,
      [0, plan.height],
      this.#wholeInlets,
      this.#wholeCuts,
      wholeTerms(plan),
    );
    this.#readBy(plan);
    this.#inlets.takeWhole(results.published);
    const whole = [...Array(patchCount(plan)).keys()].map((patch) =>
      momentsOfRows(
        plan,
        results.rowMoments,
        plan.height,
        plan.bounds[patch]!,
        plan.bounds[patch + 1]!,
      ),
    );
    this.#memory = { whole, own: [] };
    return results.noise;
  }

  /**
   * A displaced step on own rows.
   *
   * @returns Predicted noise of own rows, [N, C, rows, W].
   * @throws PcppError `E_SHAPE` if a tensor or message has not the plan's size, or a message is missing.
   */
  async displaced(input: DisplacedInput): Promise<Tensor> {
    const { plan, index } = this;
    const rows = rowsOf(plan, index);
    const [first, last] = [plan.bounds[index]!, plan.bounds[index + 1]!];
    const memory = this.#memory;
    if (!memory) {
      throw new PcppError('E_OPTION', 'a displaced step needs a whole-image step before it');
    }
    const { reads, publishes } = input.plans ?? { reads: plan, publishes: plan };
    this.#readBy(reads);
    if (this.#cuts.plan !== publishes) this.#cuts = new DisplacedCuts(publishes, index);
    const terms = groupNormTerms(plan, index, this.#staleMoments(memory, input.borders));
    this.#inlets.takeLatent('before', input.haloAbove);
    this.#inlets.takeLatent('after', input.haloBelow);
    const results = await this.#run(input, [first, last], this.#inlets, this.#cuts.cuts, terms);
    const own = momentsOfRows(plan, results.rowMoments, rows, 0, rows);
    const published = { plan: publishes, borders: results.published };
    this.#memory = { ...memory, own: [...memory.own, own].slice(-plan.age), published };
    return results.noise;
  }

  /**
   * The message to patch `to` after a displaced step: moments, latent rows, borders in the manifest's order.
   *
   * @param latent Own latent after the sampler step, [1, C, rows, W], unscaled; its edge rows travel along.
   * @throws PcppError `E_OPTION` if the last step was not a displaced one.
   */
  outbound(to: number, latent?: Tensor): Float32Array {
    const { published, own } = this.#memory ?? {};
    if (!published || !own) {
      throw new PcppError('E_OPTION', 'there is a message only after a displaced step');
    }
    const { plan, borders } = published;
    const rows = latentRows(plan, this.index, to);
    const first = plan.bounds[this.index]!;
    return packMessage(plan, this.index, to, {
      published: borders,
      moments: own.at(-1)!,
      latent: latent && rows && takeRows(latent, rows[0] - first, rows[1] - first),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  /** Messages fill inlets completely, so new ones need nothing of those before. */
  #readBy(plan: PatchPlan): void {
    if (this.#inlets.plan !== plan) this.#inlets = new BorderInlets(plan, this.index);
  }

  /** Everyone's moments, as old as borders are; fills the inlets on the way. */
  #staleMoments(
    { whole, own }: Memory,
    borders: ReadonlyMap<number, Float32Array> | undefined,
  ): readonly Float32Array[] {
    // What the whole-image step left in the inlets serves until messages are due.
    if (own.length < this.plan.age) return whole;
    return [...Array(patchCount(this.plan)).keys()].map((from) => {
      // In `local` mode a patch far away has nothing to say.
      const isSilent = manifestOf(this.#inlets.plan, from, this.index).length === 0;
      if (from === this.index || isSilent) return own[0]!;
      const payload = borders?.get(from);
      if (!payload) {
        throw new PcppError('E_SHAPE', `patch ${this.index} has no message from patch ${from}`);
      }
      this.#inlets.take(from, payload);
      return momentsOf(this.#inlets.plan, from, this.index, payload) ?? own[0]!;
    });
  }

  async #run(
    input: WholeInput,
    [first, last]: readonly [first: number, last: number],
    inlets: BorderInlets,
    cuts: Cuts,
    terms: GroupNormTerms,
  ): Promise<{ noise: Tensor; published: Float32Array; rowMoments: Float32Array }> {
    const { plan } = this;
    const wanted = [plan.batch, plan.sites.channels, last - first, plan.width];
    if (
      input.sample.dims.length !== 4 ||
      wanted.some((dim, axis) => dim !== input.sample.dims[axis])
    ) {
      throw new PcppError(
        'E_SHAPE',
        `patch ${this.index} takes [${wanted}], got [${input.sample.dims}]`,
      );
    }
    const timestep = this.#session.inputs.find(({ name }) => name === 'timestep');
    const feeds: Record<string, Value> = {
      ...input.conditioning,
      ...sampleFeeds(this.graph, input.sample, [first, last]),
      ...(timestep ? { timestep: feedScalar(timestep, input.timestep) } : {}),
      [names.bordersIn]: flatFloats(inlets.data),
      [names.inSizes]: flatIntegers(inlets.sizes),
      [names.cuts]: flatIntegers(cuts.positions),
      [names.cutSizes]: flatIntegers(cuts.sizes),
      [names.gnB]: flatFloats(terms.b),
      [ownShare]: flatFloats(Float32Array.of(terms.a)),
      [rowSpan]: flatIntegers(BigInt64Array.from([first, last, plan.height], BigInt)),
    };
    const ports = this.#session.inputs.map((port) => [port.name, feeds[port.name]] as const);
    const missing = ports.filter(([, value]) => !value).map(([name]) => name);
    if (missing.length > 0) {
      throw new PcppError('E_SHAPE', `the model needs the inputs ${missing.join(', ')}`);
    }
    const results = await this.#session.run(Object.fromEntries(ports) as Values);
    const { dims } = results[this.graph.output]!;
    const output = { dims, data: floatsOf(results[this.graph.output]) };
    return {
      noise: predictionOf(this.graph, output, plan.width),
      published: floatsOf(results[names.bordersOut]),
      rowMoments: floatsOf(results[names.gnRows]),
    };
  }
}

function requirePatch(plan: PatchPlan, index: number): void {
  if (Number.isInteger(index) && index >= 0 && index < patchCount(plan)) return;
  throw new PcppError('E_PARTITION', `no patch ${index} among ${patchCount(plan)}`);
}
