/** One evaluation of a whole-image denoiser, be it a UNet or a transformer. */

import { feed, feedScalar, floatOutput, inputPort, requireShape } from '../model/feed.js';
import type { Session, Value, Values } from '../onnx/session.js';
import { concatBatch, type Tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { combineGuidance } from './guidance.js';

/** What exporters call the latent, what is predicted of it, and the pooled text. */
interface PortNames {
  readonly sample: string;
  readonly output: string;
  readonly pooled: string;
}

const unet: PortNames = { sample: 'sample', output: 'out_sample', pooled: 'text_embeds' };
const transformer: PortNames = {
  sample: 'hidden_states',
  output: 'out_hidden_states',
  pooled: 'pooled_projections',
};

const namesOf = ({ inputs }: Session): PortNames =>
  inputs.some(({ name }) => name === transformer.sample) ? transformer : unet;

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
  const name = namesOf(session).output;
  const output = floatOutput(outputs, name);
  requireShape(name, output, sample.dims);
  return guided ? combineGuidance(output, guidanceScale) : output;
}

/** The inputs that optimum gives a denoiser, in the element types of this export. */
export function denoiserFeeds(
  session: Session,
  sample: Tensor,
  timestep: number,
  { hidden, pooled, timeIds }: Conditioning,
): Readonly<Record<string, Value>> {
  const names = namesOf(session);
  const port = (name: string) => inputPort(session, name);
  return {
    [names.sample]: feed(port(names.sample), sample),
    timestep: feedScalar(port('timestep'), timestep),
    encoder_hidden_states: feed(port('encoder_hidden_states'), hidden),
    ...(pooled ? { [names.pooled]: feed(port(names.pooled), pooled) } : {}),
    ...(timeIds ? { time_ids: feed(port('time_ids'), timeIds) } : {}),
  };
}

/** The same inputs as a patch graph has them: always in float32. It takes those that it knows. */
export const conditioningValues = ({ hidden, pooled, timeIds }: Conditioning): Values => ({
  encoder_hidden_states: { type: 'float32', ...hidden },
  ...(pooled
    ? {
        [unet.pooled]: { type: 'float32', ...pooled },
        [transformer.pooled]: { type: 'float32', ...pooled },
      }
    : {}),
  ...(timeIds ? { time_ids: { type: 'float32', ...timeIds } } : {}),
});
