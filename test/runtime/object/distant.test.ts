/** Nodes that behave as if each were another machine: nothing is shared, all is pulled. */

import test from 'ava';
import { length, openStored, ramp } from '../../helpers/stored.js';
import { until } from '../../helpers/until.js';

const separate = { workers: 2, separate: true, resources: { cpu: 1 } } as const;

test.serial('objects are pulled once a node, from wherever they are', async (t) => {
  const { opened, cluster, lib } = await openStored(separate);
  await using _ = opened;
  const { nodes } = await cluster.status();
  const [first, second] = nodes.map(({ id }) => id);
  const numbers = cluster.put(ramp());
  const mine = await numbers;
  const readers = await Promise.all(
    [first, first, second].map((node) =>
      lib.Reader.create({ resources: {}, schedulingStrategy: { node: node! } }),
    ),
  );
  t.is(await readers[0]!.poke({ numbers }, 5), length);
  // Its neighbour sees what it wrote, the other node and the driver do not.
  t.deepEqual(await readers[1]!.ends({ numbers }), [5, length - 1]);
  t.deepEqual(await readers[2]!.ends({ numbers }), [0, length - 1]);
  t.is(mine[0], 0);
  const thread = await lib.ThreadReader.create({
    resources: {},
    schedulingStrategy: { node: first! },
  });
  t.deepEqual(await thread.ends({ numbers }), [5, length - 1]);
  // A result stays on its node; the driver and the other node fetch it from there.
  const made = lib.ramp.with({ schedulingStrategy: { node: first! } })(length);
  t.is((await made).at(-1), length - 1);
  t.is(made.place?.node, nodes[0]!.name);
  t.deepEqual(await readers[2]!.ends({ numbers: made }), [0, length - 1]);
  t.is(
    await lib.sumOf.with({ schedulingStrategy: { node: second! } })(made),
    await lib.sumOf(made),
  );
});

test.serial('a large pull leaves room for small calls, and holds little', async (t) => {
  const { opened, cluster, lib } = await openStored(separate);
  await using _ = opened;
  const big = await cluster.allocate(Float32Array, 50_000_000);
  big[0] = 1;
  big[big.length - 1] = 2;
  const numbers = cluster.put(big);
  const reader = await lib.Reader.create({ resources: {}, maxConcurrency: 10 });
  let done = false;
  const pulled = reader.ends({ numbers }).finally(() => {
    done = true;
  });
  let calls = 0;
  while (!done) {
    await reader.pid();
    calls++;
  }
  t.deepEqual(await pulled, [1, 2]);
  t.true(calls > 10, `${calls}`);
});

test.serial('a source that dies in the middle of a pull is told with its name', async (t) => {
  const { opened, lib } = await openStored(separate);
  await using _ = opened;
  const made = lib.ramp.with({ retries: 0 })(40_000_000);
  await made.settled();
  const { node } = made.place!;
  const agent = opened.agents[Number(node.at(-1))]!;
  const value = Promise.resolve(made);
  process.kill(agent, 'SIGKILL');
  await t.throwsAsync(value, {
    code: 'E_OBJECT_LOST',
    message: new RegExp(`on node ${node}.*run the task again`),
  });
  await until('the node is gone', async () => (await opened.cluster.status()).nodes.length === 1);
});

test.serial('a task goes to where its large argument is, if there is room', async (t) => {
  const { opened, cluster, lib } = await openStored({ ...separate, resources: { cpu: 2 } });
  await using _ = opened;
  const there = { schedulingStrategy: { node: 'node-1' } } as const;
  const eightMegabytes = lib.ramp.with(there)(2_000_000);
  await eightMegabytes.settled();
  t.is(await lib.nodeWith(eightMegabytes), 'node-1');
  // The one with more bytes counts, and what the driver holds does not.
  const small = lib.ramp.with({ schedulingStrategy: { node: 'node-0' } })(length);
  const mine = cluster.put(ramp(3_000_000));
  t.is(await lib.nodeWith.with({ resources: { cpu: 0.5 } })(small), 'node-0');
  t.is(await lib.nodeWithAll(small, mine, eightMegabytes), 'node-1');
  t.is(
    await lib.nodeWith.with({ schedulingStrategy: { node: 'node-0' } })(eightMegabytes),
    'node-0',
  );
  await lib.Reader.create({ resources: { cpu: 2 }, ...there });
  t.is(await lib.nodeWith(eightMegabytes), 'node-0');
});
