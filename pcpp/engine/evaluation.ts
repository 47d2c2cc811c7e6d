/** One evaluation of a whole-image denoiser, be it a UNet or a transformer. */

import { feed, feedScalar, floatOutput, inputPort, requireShape } from '../model/feed.js';
import type { Session, Value, Values } from '../onnx/session.js';
import type { PatchGraph } from '../rewrite/compile.js';
import { concatBatch, nchw, type Tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { combineGuidance } from './guidance.js';
import { predictionOf, sampleTensors } from './latent-tokens.js';

/** What exporters call the latent, where its tokens are, what is predicted of it, and the pooled text. */
interface PortNames extends Pick<PatchGraph, 'sample' | 'output' | 'tokens'> {
  readonly pooled: string;
}

const unet: PortNames = { sample: 'sample', output: 'out_sample', pooled: 'text_embeds' };
const transformer: PortNames = {
  sample: 'hidden_states',
  output: 'out_hidden_states',
  pooled: 'pooled_projections',
};
/** Flux. */
const tokenTransformer: PortNames = { ...transformer, tokens: { positions: ['img_ids'] } };

function namesOf({ inputs }: Session): PortNames {
  const has = (name: string): boolean => inputs.some((port) => port.name === name);
  if (has('img_ids')) return tokenTransformer;
  return has(transformer.sample) ? transformer : unet;
}

/**
 * @param latent [1, C, H, W], scaled as the sampler wants it.
 * @param conditioning One entry, or two with guidance: negative first.
 * @returns What the network predicts, guidance applied: [1, C, H, W].
 * @throws PcppError `E_SESSION` if ONNX Runtime fails, `E_MODEL_CONFIG` if the graph has other inputs than expected.
 */
export async function evaluateDenoiser(
  session: Session,
  latent: Tensor,
  timestep: number,
  conditioning: Conditioning,
  guidanceScale: number,
): Promise<Tensor> {
  const guided = conditioning.hidden.dims[0] === 2;
  const sample = guided ? concatBatch([latent, latent]) : latent;
  const outputs = await session.run(denoiserFeeds(session, sample, timestep, conditioning));
  const names = namesOf(session);
  const [, , , width] = nchw(sample);
  const output = predictionOf(names, floatOutput(outputs, names.output), width);
  requireShape(names.output, output, sample.dims);
  return guided ? combineGuidance(output, guidanceScale) : output;
}

/** The inputs that optimum gives a denoiser, in the element types of this export. */
export function denoiserFeeds(
  session: Session,
  sample: Tensor,
  timestep: number,
  conditioning: Conditioning,
): Readonly<Record<string, Value>> {
  const { hidden, pooled, timeIds, textPositions, timestepScale = 1 } = conditioning;
  const names = namesOf(session);
  const given: Record<string, Tensor | undefined> = {
    ...sampleTensors(names, sample, [0, nchw(sample)[2]]),
    encoder_hidden_states: hidden,
    [names.pooled]: pooled,
    time_ids: timeIds,
    txt_ids: textPositions,
    guidance: conditioning.guidance,
    timestep_cond: conditioning.guidanceEmbedding,
  };
  const feeds = Object.entries(given).flatMap(([name, values]) =>
    values ? [[name, feed(inputPort(session, name), values)] as const] : [],
  );
  return {
    ...Object.fromEntries(feeds),
    timestep: feedScalar(inputPort(session, 'timestep'), timestep * timestepScale),
  };
}

/** The same inputs as a patch graph has them: always in float32. It takes those that it knows. */
export function conditioningValues(conditioning: Conditioning): Values {
  const { hidden, pooled, timeIds, textPositions } = conditioning;
  const given: Record<string, Tensor | undefined> = {
    encoder_hidden_states: hidden,
    [unet.pooled]: pooled,
    [transformer.pooled]: pooled,
    time_ids: timeIds,
    txt_ids: textPositions,
    guidance: conditioning.guidance,
    timestep_cond: conditioning.guidanceEmbedding,
  };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, values]) =>
      values ? [[name, { type: 'float32', ...values } as const]] : [],
    ),
  );
}
