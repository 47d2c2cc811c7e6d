/** Names of the inputs and outputs that a patch graph has beside the model's own; emit.ts says what is in them. */

export interface SitePorts {
  readonly bordersIn: string;
  readonly inSizes: string;
  readonly edgeMasks: string;
  readonly maskSizes: string;
  readonly cuts: string;
  readonly cutSizes: string;
  readonly gnB: string;
  readonly bordersOut: string;
  readonly gnRows: string;
}

/** Shared by all exchanges: the share of own moments. */
export const ownShare = 'gn_a';

/** Of graphs with tables or a text beside the image: first own latent row, the one after the last, rows of the image. */
export const rowSpan = 'row_span';

/** @param stage In a graph of several stages, the one after which this is told. */
export function sitePorts(stage?: number): SitePorts {
  const suffix = stage === undefined ? '' : `_${stage}`;
  return {
    bordersIn: `borders_in${suffix}`,
    inSizes: `in_sizes${suffix}`,
    edgeMasks: `edge_masks${suffix}`,
    maskSizes: `mask_sizes${suffix}`,
    cuts: `cuts${suffix}`,
    cutSizes: `cut_sizes${suffix}`,
    gnB: `gn_b${suffix}`,
    bordersOut: `borders_out${suffix}`,
    gnRows: `gn_rows${suffix}`,
  };
}
