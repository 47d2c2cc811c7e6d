/** What the benchmarks call: the same as in Ray's own. */

import { type ActorHandle, context, type ObjectRef } from '../../runtime/index.js';

const ok = Uint8Array.from(Buffer.from('ok'));

export const smallValue = (): Uint8Array => ok;

export class Server {
  smallValue(): Uint8Array {
    return ok;
  }

  async smallValueArg(value: ObjectRef<number>): Promise<Uint8Array> {
    await value;
    return ok;
  }

  take(array: Float64Array): number {
    return array.length;
  }

  async takeStored({ array }: { readonly array: ObjectRef<Float64Array> }): Promise<number> {
    return (await array).length;
  }
}

export class Client {
  readonly #servers: readonly ActorHandle<Server>[];

  constructor(servers: readonly ActorHandle<Server>[]) {
    this.#servers = servers;
  }

  /** `calls` to each server, all under way at once. */
  async smallValueBatch(calls: number): Promise<void> {
    await Promise.all(
      this.#servers.flatMap((server) => Array.from({ length: calls }, () => server.smallValue())),
    );
  }

  async smallValueBatchArg(calls: number): Promise<void> {
    const value = context().cluster.put(0);
    await Promise.all(
      this.#servers.flatMap((server) =>
        Array.from({ length: calls }, () => server.smallValueArg(value)),
      ),
    );
  }
}

/** `calls` shared by the servers in turn. */
export async function work(servers: readonly ActorHandle<Server>[], calls: number): Promise<void> {
  await Promise.all(
    Array.from({ length: calls }, (_, n) => servers[n % servers.length]!.smallValue()),
  );
}
