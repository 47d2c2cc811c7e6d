/** What one device needs to know of one image. Plain data, sent to every device of the job. */

import type { LatentColors } from '../image/latent-colors.js';
import type { Tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import type { GenerationSettings } from './generation-settings.js';

export interface DenoiseJob {
  /** Tells the job's borders from those of another. */
  readonly id: string;
  readonly settings: GenerationSettings;
  readonly conditioning: Conditioning;
  /** Latent rows of each patch, from top to bottom; of each group, where guidance is on two. */
  readonly rows: readonly number[];
  /** [1, C, H, W] without noise, where there is an image to begin with. */
  readonly image?: Tensor;
  /** Where there are previews. */
  readonly colors?: LatentColors;
}
