import anyTest, { type TestFn } from 'ava';
import { ActorsError, replacePatch, runPatches, splitRows } from '../../actors/index.js';
import { simulateOnCluster } from '../../examples/heat/simulate.js';
import type { ActorHandle, Remote } from '../../runtime/index.js';
import { openCluster, type TestCluster } from '../helpers/processes.js';

type Actors = typeof import('../fixtures/actors/heat-probe.js');
type Probe = ActorHandle<InstanceType<Actors['HeatProbe']>>;

const test = anyTest as TestFn;
const plate = { rows: 19, width: 12 };
const steps = 60;
let opened: TestCluster;
let lib: Remote<Actors>;

test.before(async () => {
  opened = await openCluster({ workers: 2, resources: { cpu: 4 }, prewarm: 2 });
  lib = await opened.cluster.load<Actors>(
    new URL('../fixtures/actors/heat-probe.js', import.meta.url),
  );
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

const create = (patch: number, patches: number, age: number): Promise<Probe> => {
  const bounds = splitRows(plate.rows, patches);
  const own = [bounds[patch]!, bounds[patch + 1]!] as const;
  return lib.HeatProbe.create({ args: [{ patch, patches, age }, plate, own] });
};

async function linked(patches: number, age: number): Promise<readonly Probe[]> {
  const all = await Promise.all([...Array(patches).keys()].map((n) => create(n, patches, age)));
  await Promise.all(all.map((patch) => patch.link(all)));
  return all;
}

/** Runs, and calls back with each report. */
async function run(
  patches: readonly Probe[],
  first: number | readonly number[],
  onReport: (patch: number, step: number) => boolean = () => true,
): Promise<void> {
  for await (const { patch, step } of runPatches(patches, first, steps)) {
    if (!onReport(patch, step)) return;
  }
}

async function rowsOf(patches: readonly Probe[]): Promise<Buffer> {
  const parts = await Promise.all(patches.map((patch) => patch.rows()));
  return Buffer.concat(
    parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)),
  );
}

for (const age of [0, 1]) {
  for (const [patches, dead] of [
    [2, 0],
    [3, 1],
    [3, 2],
  ] as const) {
    test.serial(
      `age ${age}: patch ${dead} of ${patches} dies by SIGKILL, and the result is the same`,
      async (t) => {
        const plan = { ...plate, patches, age, steps };
        const undisturbed = await simulateOnCluster(opened.cluster, plan);
        const before = await linked(patches, age);
        const pid = await before[dead]!.pid();
        const broken = run(before, 0, (patch, step) => {
          if (patch === dead && step === 20) process.kill(pid, 'SIGKILL');
          return true;
        });
        await t.throwsAsync(broken, { code: 'E_ACTOR_DEAD', message: /died of SIGKILL/ });
        const { patches: after, next } = await replacePatch(before, dead, () =>
          create(dead, patches, age),
        );
        t.true(next[dead]! > 0 && next[dead]! < steps, `${next}`);
        await run(after, next);
        const { cells } = undisturbed;
        t.true((await rowsOf(after)).equals(Buffer.from(cells.buffer)));
        await Promise.all(after.map((patch) => patch.kill()));
      },
    );
  }
}

test.serial('a run that its consumer leaves can go on where it stopped', async (t) => {
  const plan = { ...plate, patches: 3, age: 1, steps };
  const undisturbed = await simulateOnCluster(opened.cluster, plan);
  const patches = await linked(3, 1);
  for (let round = 1; round <= 3; round++) {
    await run(
      patches,
      await Promise.all(patches.map((patch) => patch.nextStep())),
      (_, step) => step < 15 * round,
    );
  }
  await run(patches, await Promise.all(patches.map((patch) => patch.nextStep())));
  t.true((await rowsOf(patches)).equals(Buffer.from(undisturbed.cells.buffer)));
  await Promise.all(patches.map((patch) => patch.kill()));
});

test.serial(
  'a patch that died before its first checkpoint cannot be replaced, nor an only one',
  async (t) => {
    const two = await linked(2, 0);
    const never = (): Promise<never> => Promise.reject(new Error('not asked for'));
    await t.throwsAsync(replacePatch(two, 0, never), { code: 'E_PATCH_STATE' });
    const [one] = await linked(1, 0);
    await t.throwsAsync(replacePatch([one!], 0, never), { instanceOf: ActorsError });
    await Promise.all([...two, one!].map((patch) => patch.kill()));
  },
);
