import test from 'ava';
import { length, openStored, ramp } from '../../helpers/stored.js';
import { until } from '../../helpers/until.js';

test.serial('results whose node died are made again, the arguments first', async (t) => {
  const { opened, cluster, lib } = await openStored({ workers: 2, resources: { cpu: 1 } });
  await using _ = opened;
  const killNode = async (name: string): Promise<void> => {
    process.kill(opened.agents[Number(name.at(-1))]!, 'SIGKILL');
    await until('the head knows', async () =>
      (await cluster.status()).nodes.every((node) => node.name !== name),
    );
  };
  const on = { schedulingStrategy: { node: 'node-0', soft: true } } as const;
  const base = lib.ramp.with(on)(length);
  const next = lib.plusOne.with(on)(base);
  const last = lib.plusOne.with(on)(next);
  await Promise.all([base, next, last].map((ref) => ref.settled()));
  t.deepEqual(
    [base, next, last].map((ref) => ref.place?.node),
    ['node-0', 'node-0', 'node-0'],
  );
  await killNode('node-0');
  // Somebody else asks first: an actor that has the ref inside a value.
  const reader = await lib.Reader.create({ resources: {} });
  t.deepEqual(await reader.ends({ numbers: last }), [2, length + 1]);
  t.is((await last)[0], 2);
  t.is(last.place?.node, 'node-1');
  t.is((await base)[0], 0);
});

test.serial(
  'what cannot be made again says so: what was put, and what may not be tried again',
  async (t) => {
    const { opened, cluster, lib } = await openStored({ workers: 1, resources: { cpu: 1 } });
    await using _ = opened;
    const keeper = await lib.Putter.create({ resources: {} });
    const { numbers } = await keeper.put(length);
    const once = lib.ramp.with({ retries: 0 })(length);
    await once.settled();
    const lent = lib.plusOne(cluster.put(ramp()));
    await lent.settled();
    process.kill(opened.agents[0]!, 'SIGKILL');
    await t.throwsAsync(Promise.resolve(numbers), { code: 'E_OBJECT_LOST', message: /is gone/ });
    await t.throwsAsync(Promise.resolve(once), {
      code: 'E_OBJECT_LOST',
      message: /result of ramp, was on node node-0, which is gone.*run the task again/,
    });
    // What it is made of is here, but nobody to make it.
    await t.throwsAsync(Promise.resolve(lent), { code: 'E_NO_ROOM', message: /has no node/ });
  },
);
