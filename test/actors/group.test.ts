import test from 'ava';
import { reduce, sharesOf } from '../../actors/group-reduce.js';
import { ActorGroup } from '../../actors/index.js';
import type { Remote } from '../../runtime/index.js';
import { openCluster, type TestCluster } from '../helpers/processes.js';
import { until } from '../helpers/until.js';
import { valuesOf } from './group-members.js';

type Actors = typeof import('./group-members.js');

let opened: TestCluster;
let lib: Remote<Actors>;

test.before(async () => {
  opened = await openCluster({ workers: 2, resources: { cpu: 4 }, prewarm: 3 });
  lib = await opened.cluster.load<Actors>(new URL('./group-members.js', import.meta.url));
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

const freeCpus = async (): Promise<number> => {
  const { nodes } = await opened.cluster.status();
  return nodes.reduce((sum, { free }) => sum + free['cpu']!, 0);
};

async function linked(
  size: number,
  Class: 'Member' | 'ThreadMember' = 'Member',
): Promise<ActorGroup<InstanceType<Actors['Member']>>> {
  const group = await ActorGroup.create(opened.cluster, lib[Class], { size });
  await group.link();
  return group;
}

test.serial('ranks get their own arguments, a strategy, and go together', async (t) => {
  {
    await using group = await ActorGroup.create(opened.cluster, lib.Plain, {
      size: 2,
      resources: { cpu: 3 },
      strategy: 'strict-spread',
      argsOf: (rank) => [10 * rank],
    });
    t.is(group.size, 2);
    t.deepEqual(await group.gather('rankPlus', 1), [1, 11]);
    t.deepEqual(await group.scatter('rankPlus', (rank) => [100 * rank]), [0, 110]);
    t.is(await group.broadcast('rankPlus', 1), undefined);
    t.is(new Set(await group.gather('node')).size, 2);
    t.is(await freeCpus(), 2);
  }
  t.is(await freeCpus(), 8);
});

test.serial('all or none: what was made is ended if one fails', async (t) => {
  const failing = ActorGroup.create(opened.cluster, lib.Plain, {
    size: 3,
    argsOf: (rank) => [rank === 2 ? -1 : rank],
  });
  await t.throwsAsync(failing, { code: 'E_ACTOR_START', message: /no such rank/ });
  t.is(await freeCpus(), 8);
  const create = (size: number) =>
    ActorGroup.create(opened.cluster, lib.Plain, { size, argsOf: (rank) => [rank] });
  await t.throwsAsync(create(9), { code: 'E_NO_ROOM' });
  await t.throwsAsync(create(0), { code: 'E_OPTION' });
  await t.throwsAsync(create(1.5), { code: 'E_OPTION' });
});

for (const Class of ['Member', 'ThreadMember'] as const) {
  test.serial(`${Class}: a reduction has the same bits on every rank and every time`, async (t) => {
    await using group = await linked(3, Class);
    t.deepEqual(await group.gather('whoAmI'), [
      [0, 3],
      [1, 3],
      [2, 3],
    ]);
    // Fewer elements than ranks, not divisible, many.
    for (const length of [0, 2, 10, 5_000]) {
      const parts = [0, 1, 2].map((rank) => valuesOf(rank, length));
      for (const op of ['sum', 'max', 'mean'] as const) {
        const wanted = parts[0]!.map((_, n) => {
          const [a, b, c] = parts.map((part) => part[n]!) as [number, number, number];
          return op === 'max' ? Math.max(a, b, c) : (a + b + c) / (op === 'mean' ? 3 : 1);
        });
        for (const result of await group.gather('reduced', length, op)) {
          t.deepEqual(result, wanted, `${op} of ${length}`);
        }
      }
    }
    const own = await group.gather('ownArrayAfterwards');
    t.deepEqual(own[1], valuesOf(1, 9), 'the operand is left as it was');
  });
}

test.serial('two reductions at once do not mix', async (t) => {
  await using group = await linked(3);
  const [one] = await group.gather('reduced', 100, 'sum');
  const [most] = await group.gather('reduced', 100, 'max');
  for (const [sum, max] of await group.gather('twice', 100)) {
    t.deepEqual(sum, one);
    t.deepEqual(max, most);
  }
});

test.serial('a group of one needs nobody', async (t) => {
  await using group = await linked(1);
  t.deepEqual(await group.gather('reduced', 3, 'mean'), [valuesOf(0, 3)]);
  await group.broadcast('manyBarriers', 3);
  await t.throwsAsync(group.broadcast('sendToItself'), { code: 'E_GROUP_STATE' });
});

test.serial('allGather gives arrays of any length in rank order', async (t) => {
  await using group = await linked(3);
  for (const all of await group.gather('gathered', true)) {
    t.deepEqual(all, [new Uint8Array(0), Uint8Array.of(1), Uint8Array.of(2, 2)]);
  }
  for (const all of await group.gather('gathered', false)) {
    t.deepEqual(all, [BigInt64Array.of(0n), BigInt64Array.of(1n), BigInt64Array.of(2n)]);
  }
  await t.throwsAsync(group.gather('mixed'), { code: 'E_SHAPE', message: /Int16Array/ });
});

test.serial('nobody passes a barrier before the last has come', async (t) => {
  await using group = await linked(3);
  await using bell = await lib.Bell.create({ resources: {} });
  const meeting = group.broadcast('meet', bell);
  await until('two ranks wait', async () => (await bell.notes()).length >= 2);
  await bell.ring();
  await meeting;
  t.deepEqual(await bell.notes(), [...Array(3).fill('before'), ...Array(3).fill('after')]);
  await group.broadcast('manyBarriers', 300);
});

test.serial('neighbours send and receive in order; a sender waits for a slow reader', async (t) => {
  await using group = await linked(3);
  t.deepEqual((await group.gather('ring', 50))[0], 50 * 3);
  await using pair = await linked(2);
  await using bell = await lib.Bell.create({ resources: {} });
  t.deepEqual(await pair.gather('flood', 200, bell), [200, 200]);
});

test.serial('ranks that do different things hear of it', async (t) => {
  await using group = await ActorGroup.create(opened.cluster, lib.Member, { size: 2 });
  await t.throwsAsync(group.broadcast('manyBarriers', 1), {
    code: 'E_GROUP_STATE',
    message: /link\(\) the group first/,
  });
  await group.link();
  await t.throwsAsync(group.broadcast('differently'), {
    code: 'E_GROUP_STATE',
    message: /is in (barrier|allReduce sum of 4) while rank \d is in (barrier|allReduce)/,
  });
  await group.link();
  await t.throwsAsync(group.gather('lengths'), { code: 'E_SHAPE', message: /of 5/ });
});

test.serial('a rank that fails takes the others along; linked anew they go on', async (t) => {
  await using group = await linked(3);
  await t.throwsAsync(group.broadcast('failsAt', 1), { name: 'RangeError', message: /no wish/ });
  await t.throwsAsync(group.broadcast('manyBarriers', 1), {
    code: 'E_GROUP_STATE',
    message: /after one that failed/,
  });
  for (let n = 0; n < 6; n++) {
    await group.link();
    await t.throwsAsync(group.broadcast('failsAt', n % 3), { name: 'RangeError' });
  }
  await group.link();
  const results = await group.gather('reduced', 10, 'sum');
  t.deepEqual(results[0], results[2]);
  await t.throwsAsync(group.broadcast('diesAt', 1), {
    code: 'E_ACTOR_DEAD',
    message: /died of SIGKILL/,
  });
});

test('shares cover all elements, and parts of different length are refused', (t) => {
  t.deepEqual(sharesOf(10, 3), [0, 3, 6, 10]);
  t.deepEqual(sharesOf(2, 3), [0, 0, 1, 2]);
  t.throws(() => reduce([new Float32Array(2), new Float32Array(3)], 'sum'), { code: 'E_SHAPE' });
  // Rounded once: in single precision 1 would be lost beside 2^24.
  const parts = [[2 ** 24], [1], [1]].map((values) => Float32Array.from(values));
  t.is(reduce(parts, 'sum')[0], 2 ** 24 + 2);
});
