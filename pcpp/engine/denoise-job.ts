/** What one device needs to know of one image. Plain data, sent to every device of the job. */

import type { PatchMode } from '../partition/plan.js';
import type { Conditioning } from '../text/encode-prompt.js';
import type { GenerationSettings } from './generation-settings.js';

export interface DenoiseJob {
  /** Tells the job's borders from those of another. */
  readonly id: string;
  readonly settings: GenerationSettings;
  readonly conditioning: Conditioning;
  readonly patches: number;
}

/** How patches look at each other once the warm-up is over. */
export const patchModeOf = ({ mode }: GenerationSettings): PatchMode =>
  mode === 'pcpp' ? 'pcpp' : 'distrifusion';
