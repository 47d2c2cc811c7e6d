import test from 'ava';
import { combineGuidance, isGuided } from '../../../pcpp/engine/guidance.js';
import { tensor } from '../../../pcpp/tensor.js';

test('the prediction is led away from the negative one', (t) => {
  const output = tensor([2, 1, 1, 2], Float32Array.of(1, 2, 3, 0));
  t.deepEqual(combineGuidance(output, 5), tensor([1, 1, 1, 2], Float32Array.of(11, -8)));
  t.deepEqual(combineGuidance(output, 1), tensor([1, 1, 1, 2], Float32Array.of(3, 0)));
});

test('a scale of 1 or less is no guidance', (t) => {
  t.deepEqual([0, 1, 1.01].map(isGuided), [false, false, true]);
});

test('an odd batch is refused', (t) => {
  t.throws(() => combineGuidance(tensor([3, 1]), 5), { code: 'E_SHAPE' });
});
