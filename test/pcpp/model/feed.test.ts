import test from 'ava';
import { feed, feedScalar, floatOutput, inputPort } from '../../../pcpp/model/feed.js';
import { Model } from '../../../pcpp/model/model.js';
import { tensor } from '../../../pcpp/tensor.js';
import { goldenPath } from '../../helpers/golden.js';

const source = tensor([2], Float32Array.of(1, -2.5));

test('values take the type of the port', (t) => {
  const as = (type: string) => feed({ name: 'x', type, dims: [2] }, source).data;
  t.deepEqual(as('float32'), source.data);
  t.deepEqual(as('float16'), Uint16Array.of(0x3c00, 0xc100));
  t.deepEqual(as('int64'), BigInt64Array.of(1n, -2n));
  t.deepEqual(as('int32'), Int32Array.of(1, -2));
  t.throws(() => as('string'), { code: 'E_MODEL_CONFIG', message: /x wants string/ });
});

test('a scalar takes the rank of the port', (t) => {
  t.deepEqual(feedScalar({ name: 't', type: 'float32', dims: [] }, 7).dims, []);
  t.deepEqual(feedScalar({ name: 't', type: 'int64', dims: [1] }, 7), {
    type: 'int64',
    dims: [1],
    data: BigInt64Array.of(7n),
  });
});

test('outputs become float32', (t) => {
  const halves = { type: 'float16', dims: [1], data: Uint16Array.of(0x3c00) } as const;
  t.deepEqual(floatOutput({ y: halves }, 'y'), tensor([1], Float32Array.of(1)));
  t.throws(() => floatOutput({ y: halves }, 'z'), { message: /no float output z; it has y/ });
});

test('a missing input is told with those that are there', async (t) => {
  await using model = Model.open(goldenPath('models/tiny-sd15'));
  const session = await model.session('vae_decoder');
  t.throws(() => inputPort(session, 'latents'), {
    code: 'E_MODEL_CONFIG',
    message: /no input latents; it has latent_sample/,
  });
});
