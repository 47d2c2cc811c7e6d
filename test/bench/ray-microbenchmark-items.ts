/** Ray's microbenchmarks by Ray's names, as far as the runtime has what they measure, and some of ours. */

import type { ActorHandle, Cluster, Remote } from '../../runtime/index.js';
import type { Client, Server } from './ray-microbenchmark-load.js';
import type { Item } from './ray-microbenchmark-measure.js';

type Load = typeof import('./ray-microbenchmark-load.js');

/** Calls under way at once in the asynchronous ones, as in Ray's. */
export const batch = 1000;
/** Servers and clients in those with many. Ray takes half the processors, which would be one on a small machine. */
export const many = 2;
const groups = 100;
const arrayBytes = 8_000_000;

export interface Setting {
  readonly cluster: Cluster;
  readonly lib: Remote<Load>;
}

export const settingOf = async (cluster: Cluster): Promise<Setting> => ({
  cluster,
  lib: await cluster.load<Load>(new URL('./ray-microbenchmark-load.js', import.meta.url)),
});

// As in Ray, a living actor holds no processor.
const free = { resources: {} } as const;

const itemOf = (
  operations: number,
  run: () => Promise<unknown>,
  actors: readonly AsyncDisposable[] = [],
): Item => ({
  operations,
  run,
  async [Symbol.asyncDispose](): Promise<void> {
    for (const actor of actors) await actor[Symbol.asyncDispose]();
  },
});

const times = <Value>(count: number, make: (n: number) => Value): Value[] =>
  Array.from({ length: count }, (_, n) => make(n));

const servers = ({ lib }: Setting, count: number): Promise<ActorHandle<Server>[]> =>
  Promise.all(times(count, () => lib.Server.create(free)));

/** One client for each list of servers. */
const clients = (
  { lib }: Setting,
  lists: readonly (readonly ActorHandle<Server>[])[],
): Promise<ActorHandle<Client>[]> =>
  Promise.all(lists.map((list) => lib.Client.create({ ...free, args: [list] })));

export const items: Readonly<Record<string, (setting: Setting) => Promise<Item>>> = {
  async single_client_tasks_sync({ lib }) {
    return itemOf(1, async () => lib.smallValue());
  },
  async single_client_tasks_async({ lib }) {
    return itemOf(batch, () => Promise.all(times(batch, () => lib.smallValue())));
  },
  async '1_1_actor_calls_sync'(setting) {
    const [server] = await servers(setting, 1);
    return itemOf(1, () => server!.smallValue(), [server!]);
  },
  async '1_1_actor_calls_async'(setting) {
    const [server] = await servers(setting, 1);
    return itemOf(batch, () => Promise.all(times(batch, () => server!.smallValue())), [server!]);
  },
  async '1_1_actor_calls_concurrent'({ lib }) {
    const server = await lib.Server.create({ ...free, maxConcurrency: 16 });
    return itemOf(batch, () => Promise.all(times(batch, () => server.smallValue())), [server]);
  },
  async '1_n_actor_calls_async'(setting) {
    const all = await servers(setting, many);
    const [client] = await clients(setting, [all]);
    return itemOf(many * batch, () => client!.smallValueBatch(batch), [client!, ...all]);
  },
  async n_n_actor_calls_async(setting) {
    const all = await servers(setting, many);
    const round = (): Promise<unknown> =>
      Promise.all(times(many, () => setting.lib.work(all, batch)));
    return itemOf(many * batch, round, all);
  },
  async n_n_actor_calls_with_arg_async(setting) {
    const all = await servers(setting, many);
    const callers = await clients(
      setting,
      all.map((server) => [server]),
    );
    const round = (): Promise<unknown> =>
      Promise.all(callers.map((client) => client.smallValueBatchArg(batch)));
    return itemOf(many * batch, round, [...callers, ...all]);
  },
  async 'placement_group_create/removal'({ cluster }) {
    return itemOf(groups, async () => {
      const made = await Promise.all(times(groups, () => cluster.group([{ cpu: 0.001 }])));
      await Promise.all(made.map((group) => group.remove()));
    });
  },
  /** A task after a second without any. */
  async task_after_idle({ lib }) {
    return { ...itemOf(1, async () => lib.smallValue()), restMs: 1_000 };
  },
  /** Created and called once, when there was time to start a process ahead of need. */
  async new_actor_first_call({ lib }) {
    const made: AsyncDisposable[] = [];
    const run = async (): Promise<void> => {
      const server = await lib.Server.create(free);
      made.push(server);
      await server.smallValue();
    };
    return { ...itemOf(1, run, made), restMs: 1_000 };
  },
  async array_8mb_to_actor(setting) {
    const [server] = await servers(setting, 1);
    const array = new Float64Array(arrayBytes / 8).fill(1);
    return itemOf(1, () => server!.take(array), [server!]);
  },
  async array_8mb_put_to_actor(setting) {
    const [server] = await servers(setting, 1);
    const array = new Float64Array(arrayBytes / 8).fill(1);
    const run = async (): Promise<void> => {
      const ref = setting.cluster.put(array);
      await server!.takeStored({ array: ref });
      setting.cluster.free([ref]);
    };
    return itemOf(1, run, [server!]);
  },
};
