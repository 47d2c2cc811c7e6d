import test from 'ava';
import type { GenerationResult } from '../../../pcpp/engine/generation-job.js';
import { measureCosts } from '../../../pcpp/engine/measure.js';
import type { Device } from '../../../pcpp/engine/pipeline.js';
import { PcppError } from '../../../pcpp/errors.js';
import type { DecoderReach } from '../../../pcpp/image/decoder-reach.js';
import { planPatches } from '../../../pcpp/partition/plan.js';
import { exampleSites } from '../../helpers/example-sites.js';

const [height, { width, batch, channels }] = [64, exampleSites] as const;
const whole = planPatches(exampleSites, { height, width, batch, patches: 1, mode: 'pcpp' });
const rows: DecoderReach = { kind: 'rows', above: 2, below: 2, scale: 8 };
const none: DecoderReach = { kind: 'whole', why: 'no decoder' };
const made = { steps: [], bounds: [0, 32, 64] } as unknown as GenerationResult;

/** What is asked of a device; `thinnest`: patches beyond that are refused. */
const deviceWith = (reach: DecoderReach, thinnest = 4): Device =>
  ({
    prepare: async () => ({ latent: { channels, height, width } }),
    encode: async () => ({}),
    timeSingle: async () => 1,
    timePatch: async (_: unknown, __: unknown, patches: number) => {
      if (patches > thinnest) throw new PcppError('E_PARTITION', `${patches} are too many`);
      return { rows: height / patches, whole: 1, displaced: 1 / patches };
    },
    timeLink: async () => ({ bytesPerSecond: 1e9, latency: 1e-4 }),
    decoderReach: async () => reach,
    decode: async () => ({}),
  }) as unknown as Device;

const costsOf = (...devices: readonly Device[]) =>
  measureCosts(devices, { prompt: '' }, whole, async () => made);

test('strips are decoded if all devices can, be it one or three', async (t) => {
  t.truthy((await costsOf(deviceWith(rows))).decode.strips);
  t.truthy((await costsOf(deviceWith(rows), deviceWith(rows), deviceWith(rows))).decode.strips);
});

test('one device that has no decoder, or another one, and the first decodes all', async (t) => {
  for (const other of [none, { ...rows, above: 3 }]) {
    const { decode } = await costsOf(deviceWith(rows), deviceWith(rows), deviceWith(other));
    t.is(decode.strips, undefined);
  }
});

test('quarters that are too thin are left out, halves are not', async (t) => {
  const [cost] = (await costsOf(deviceWith(rows, 2), deviceWith(rows, 2))).devices;
  t.deepEqual(cost?.displaced, { fixed: 0, perRow: 1 / height });
  await t.throwsAsync(costsOf(deviceWith(rows, 1), deviceWith(rows, 1)), { code: 'E_PARTITION' });
});
