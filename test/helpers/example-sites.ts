/** The sites of an imaginary denoiser with a level at 1/8: a latent convolution, two more, attention and two norms. */

import type { ConvSite, GraphSites } from '../../pcpp/rewrite/sites.js';

const [batch, width] = [2, 8];
const full = { times: 1, over: 1 };
const half = { times: 1, over: 2 };
const deep = { times: 1, over: 8 };

const conv: ConvSite = {
  kind: 'conv',
  id: 0,
  nodes: ['conv_in'],
  level: full,
  outLevel: full,
  outers: [batch * 4],
  outer: batch * 4,
  inner: 1,
  size: width,
  kernel: 3,
  stride: 1,
  dilation: 1,
  padTop: 1,
  padBottom: 1,
  fresh: true,
};

export const exampleSites: GraphSites = {
  batch,
  channels: 4,
  width,
  downsampling: 8,
  borders: [
    conv,
    { ...conv, id: 1, nodes: ['conv'], outers: [batch * 16], outer: batch * 16, fresh: false },
    {
      ...conv,
      id: 2,
      nodes: ['down'],
      outers: [batch * 16],
      outer: batch * 16,
      fresh: false,
      stride: 2,
      outLevel: half,
    },
    {
      kind: 'attention',
      payload: 'kv',
      keysAndValues: batch * 2 * 5,
      id: 3,
      nodes: ['k'],
      level: deep,
      outers: [batch * 2 * 5],
      outer: batch * 2 * 5,
      inner: 1,
      size: 1,
    },
    {
      kind: 'attention',
      payload: 'kv',
      keysAndValues: batch * 2 * 5,
      id: 4,
      nodes: ['v'],
      level: deep,
      outers: [batch * 2],
      outer: batch * 2,
      inner: 1,
      size: 5,
    },
  ],
  norms: [
    { id: 0, nodes: ['norm'], level: full, groups: 4 },
    { id: 1, nodes: ['deep norm'], level: deep, groups: 8 },
  ],
};
