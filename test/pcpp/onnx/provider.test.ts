import test from 'ava';
import {
  candidatesFor,
  firstWorking,
  type Provider,
  tryProvider,
} from '../../../pcpp/onnx/provider.js';
import { Session } from '../../../pcpp/onnx/session.js';
import { goldenPath } from '../../helpers/golden.js';

test('without a GPU the processor computes, with one the fastest way to it that works', (t) => {
  t.deepEqual(candidatesFor('auto', false), ['cpu']);
  t.deepEqual(candidatesFor('auto', true), ['cuda', 'webgpu', 'cpu']);
  t.deepEqual(candidatesFor('webgpu', false), ['webgpu']);
});

const broken =
  (...of: readonly Provider[]) =>
  async (provider: Provider): Promise<string | undefined> =>
    of.includes(provider) ? `no ${provider}` : undefined;

test('the first that works is taken, and what was better is told', async (t) => {
  const candidates = candidatesFor('auto', true);
  t.deepEqual(await firstWorking(candidates, broken()), { provider: 'cuda', refused: [] });
  t.deepEqual(await firstWorking(candidates, broken('cuda', 'webgpu')), {
    provider: 'cpu',
    refused: [
      { provider: 'cuda', why: 'no cuda' },
      { provider: 'webgpu', why: 'no webgpu' },
    ],
  });
});

test('what was asked for by name and does not work is an error that says what to do', async (t) => {
  const error = await t.throwsAsync(firstWorking(['cuda'], broken('cuda')), { code: 'E_SESSION' });
  t.regex(error!.message, /cuda: no cuda.*take cpu, or auto/);
});

test('a trial runs a graph, or says in one line why it cannot', async (t) => {
  t.is(await tryProvider('cpu'), undefined);
  for (const provider of ['cuda', 'webgpu'] as const) {
    const why = await tryProvider(provider);
    if (why === undefined) t.log(`${provider} works here`);
    else t.false(why.includes('\n'));
  }
});

test('a session on a provider that is not there fails with the words of ONNX Runtime', async (t) => {
  if ((await tryProvider('webgpu')) === undefined) {
    t.pass('it is there');
    return;
  }
  const file = goldenPath('models/tiny-sd15/unet/model.onnx');
  const error = await t.throwsAsync(Session.open(file, { provider: 'webgpu' }), {
    code: 'E_SESSION',
  });
  t.regex(error!.message, /on webgpu/);
});
