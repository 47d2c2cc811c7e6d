import test from 'ava';
import { AutoMode } from '../../../pcpp/engine/auto-mode.js';
import type { Device } from '../../../pcpp/engine/pipeline.js';
import { planPatches } from '../../../pcpp/partition/plan.js';
import { exampleSites } from '../../helpers/example-sites.js';

const { width, batch } = exampleSites;
const whole = planPatches(exampleSites, { height: 64, width, batch, patches: 1, mode: 'pcpp' });

test('an abort while costs are measured ends the choice before the trial image is begun', async (t) => {
  const stop = new AbortController();
  const begun: string[] = [];
  const device = {
    with: () => device,
    prepare: async () => ({ evaluations: 4, warmupSteps: 1, borderPayload: 'kv' }),
    plan: async () => [{ from: 1, plan: whole }],
    encode: async () => ({}),
    timeSingle: async () => 1,
    timePatch: async () => ({ rows: 32, whole: 1, displaced: 0.5 }),
    timeLink: async () => {
      stop.abort();
      return { bytesPerSecond: 1e9, latency: 1e-4 };
    },
    begin: async () => begun.push('begin'),
  } as unknown as Device;
  const chosen = new AutoMode().choose({ prompt: 'a lake' }, [device, device], stop.signal);
  await t.throwsAsync(chosen, { code: 'E_ABORTED' });
  t.deepEqual(begun, []);
});
