/** One evaluation of a whole-image UNet. */

import { feed, feedScalar, floatOutput, inputPort, requireShape } from '../model/feed.js';
import type { Session, Value, Values } from '../onnx/session.js';
import { concatBatch, type Tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { combineGuidance } from './guidance.js';

/**
 * @param latent [1, C, H, W], scaled as the sampler wants it.
 * @param conditioning One entry, or two with guidance: negative first.
 * @returns What the UNet predicts, guidance applied: [1, C, H, W].
 * @throws PcppError `E_SESSION` if ONNX Runtime fails, `E_MODEL_CONFIG` if the graph has other inputs than expected.
 */
export async function evaluateUnet(
  session: Session,
  latent: Tensor,
  timestep: number,
  conditioning: Conditioning,
  guidanceScale: number,
): Promise<Tensor> {
  const guided = conditioning.hidden.dims[0] === 2;
  const sample = guided ? concatBatch([latent, latent]) : latent;
  const outputs = await session.run(unetFeeds(session, sample, timestep, conditioning));
  const output = floatOutput(outputs, 'out_sample');
  requireShape('out_sample', output, sample.dims);
  return guided ? combineGuidance(output, guidanceScale) : output;
}

/** The inputs that optimum gives a UNet, in the element types of this export. */
export function unetFeeds(
  session: Session,
  sample: Tensor,
  timestep: number,
  { hidden, pooled, timeIds }: Conditioning,
): Readonly<Record<string, Value>> {
  const port = (name: string) => inputPort(session, name);
  return {
    sample: feed(port('sample'), sample),
    timestep: feedScalar(port('timestep'), timestep),
    encoder_hidden_states: feed(port('encoder_hidden_states'), hidden),
    ...(pooled ? { text_embeds: feed(port('text_embeds'), pooled) } : {}),
    ...(timeIds ? { time_ids: feed(port('time_ids'), timeIds) } : {}),
  };
}

/** The same inputs as a patch graph has them: always in float32. */
export const conditioningValues = ({ hidden, pooled, timeIds }: Conditioning): Values => ({
  encoder_hidden_states: { type: 'float32', ...hidden },
  ...(pooled ? { text_embeds: { type: 'float32', ...pooled } } : {}),
  ...(timeIds ? { time_ids: { type: 'float32', ...timeIds } } : {}),
});
