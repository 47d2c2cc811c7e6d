/** Latents as tokens of two rows and columns. */

import test from 'ava';
import {
  latentOfTokens,
  sampleFeeds,
  tokenPositions,
  tokensOfLatent,
} from '../../../pcpp/engine/latent-tokens.js';
import { takeRows, tensor } from '../../../pcpp/tensor.js';
import { noise } from '../../helpers/small-graph.js';

test('a token holds channel after channel, the upper two values of each before the lower two', (t) => {
  // Two channels of two rows and four columns.
  const latent = tensor([1, 2, 2, 4], Float32Array.from([...Array(16).keys()]));
  const tokens = tokensOfLatent(latent);
  t.deepEqual(tokens.dims, [1, 2, 8]);
  t.deepEqual([...tokens.data], [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15]);
});

test('tokens become the latent again, and those of some rows are some of all tokens', (t) => {
  const latent = noise([2, 3, 12, 8]);
  const tokens = tokensOfLatent(latent);
  t.deepEqual(latentOfTokens(tokens, 8), latent);
  const own = tokensOfLatent(takeRows(latent, 4, 10));
  const size = 3 * 4 * 12;
  t.deepEqual(own.data.slice(0, size), tokens.data.slice(2 * 4 * 12, 2 * 4 * 12 + size));
});

test('positions count from the whole image, rows before columns', (t) => {
  t.deepEqual([...tokenPositions([4, 8], 4).data], [0, 2, 0, 0, 2, 1, 0, 3, 0, 0, 3, 1]);
  const graph = { sample: 'x', tokens: { positions: ['where'] } };
  const feeds = sampleFeeds(graph, noise([1, 4, 4, 4]), [4, 8]);
  t.deepEqual(Object.keys(feeds), ['x', 'where']);
  t.deepEqual(feeds['where']!.dims, [4, 3]);
});
