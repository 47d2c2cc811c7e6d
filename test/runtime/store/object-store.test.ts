/** A store and those who misuse it, over real sockets. */

import { closeSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { MappedViews } from '../../../runtime/object/mapped-views.js';
import { ObjectStore } from '../../../runtime/store/object-store.js';
import { newStoreFolder } from '../../../runtime/store/store-folder.js';
import { type Address, ObjectPlace } from '../../../runtime/wire/address.js';
import type { MemoryRange } from '../../../runtime/wire/messages.js';
import type { Peer } from '../../../runtime/wire/peer.js';
import { type Opened, openEndpoint } from '../../helpers/endpoints.js';
import { tempFolder } from '../../helpers/temp-folder.js';
import { until } from '../../helpers/until.js';

const { pid } = process;

interface Setting extends AsyncDisposable {
  readonly store: ObjectStore;
  /** Dials in as another process would. */
  caller(): Promise<{ readonly peer: Peer; readonly endpoint: Opened }>;
}

const newStore = ({ endpoint }: Opened, bytes: number): ObjectStore =>
  new ObjectStore({
    endpoint,
    folder: newStoreFolder(),
    spillFolder: join(tempFolder('spill'), 's'),
    name: 'here',
    bytes,
    warn: () => undefined,
  });

async function openStore(bytes = 1 << 20): Promise<Setting> {
  const home = await openEndpoint({
    events: {
      message: (peer, message) => void store.serve(peer, message),
      left: (peer) => store.left(peer),
    },
  });
  const store = newStore(home, bytes);
  const callers: Opened[] = [];
  return {
    store,
    async caller() {
      const endpoint = await openEndpoint();
      callers.push(endpoint);
      return { peer: endpoint.endpoint.to(home.address), endpoint };
    },
    async [Symbol.asyncDispose]() {
      for (const caller of callers) await caller[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
      store.close();
    },
  };
}

test('a size that is none is refused', async (t) => {
  await using home = await openEndpoint();
  for (const bytes of [0, -1, 1.5, Number.NaN]) {
    t.throws(() => newStore(home, bytes), { code: 'E_OPTION', message: /objectStoreBytes/ });
  }
});

const allocate = (peer: Peer, key: string, bytes: number): Promise<MemoryRange> =>
  peer.request({ kind: 'store.allocate', key, bytes, pid });

test('keys that are taken, too long or empty are refused, and so are no bytes at all', async (t) => {
  await using setting = await openStore();
  const { peer } = await setting.caller();
  await allocate(peer, 'a', 10);
  for (const [key, bytes] of [
    ['a', 10],
    ['', 10],
    ['x'.repeat(65), 10],
    ['b', 0],
  ] as const) {
    await t.throwsAsync(allocate(peer, key, bytes), { code: 'E_PROTOCOL' });
  }
  t.is(setting.store.list().length, 1);
});

test('nobody reads what he has not pinned, or beyond its end, or what is not there', async (t) => {
  await using setting = await openStore();
  const { peer } = await setting.caller();
  const { peer: other } = await setting.caller();
  await allocate(peer, 'a', 10);
  peer.send({ kind: 'store.seal', key: 'a' });
  const read = (from: Peer, offset: number, bytes: number): Promise<Uint8Array> =>
    from.request({ kind: 'store.read', key: 'a', offset, bytes });
  await t.throwsAsync(read(other, 0, 10), { code: 'E_PROTOCOL' });
  await other.request({ kind: 'store.pin', key: 'a', pid: 0 });
  t.is((await read(other, 0, 10)).length, 10);
  await t.throwsAsync(read(other, 5, 6), { code: 'E_PROTOCOL' });
  await t.throwsAsync(other.request({ kind: 'store.pin', key: 'b', pid: 0 }), {
    code: 'E_OBJECT_LOST',
    message: /stored object b: it is not there any more/,
  });
  // Letting go of what one has not got, or sealing what is another's, does nothing.
  other.send({ kind: 'store.unpin', keys: ['a', 'a', 'a', 'b'] });
  other.send({ kind: 'store.seal', key: 'nothing' });
  t.is((await read(peer, 0, 10)).length, 10);
});

test('who asks for an object that is being written waits, and hears if it never comes', async (t) => {
  await using setting = await openStore();
  const { peer } = await setting.caller();
  const { peer: other } = await setting.caller();
  await allocate(peer, 'a', 10);
  await allocate(peer, 'b', 10);
  const [first, second] = ['a', 'b'].map((key) =>
    other.request<MemoryRange>({ kind: 'store.pin', key, pid: 0 }),
  );
  const failed = t.throwsAsync(second!, { code: 'E_OBJECT_LOST' });
  // Another cannot seal it.
  other.send({ kind: 'store.seal', key: 'a' });
  await other.request({ kind: 'store.list' });
  peer.send({ kind: 'store.seal', key: 'a' });
  t.is((await first!).bytes, 10);
  peer.send({ kind: 'store.free', keys: ['b'] });
  await failed;
});

test('a link that ends frees what was only read; what is mapped stays while its process lives', async (t) => {
  await using setting = await openStore();
  const { peer } = await setting.caller();
  const reader = await setting.caller();
  const mapper = await setting.caller();
  for (const key of ['a', 'b']) {
    await allocate(peer, key, 10);
    peer.send({ kind: 'store.seal', key });
    peer.send({ kind: 'store.unpin', keys: [key] });
  }
  await reader.peer.request({ kind: 'store.pin', key: 'a', pid: 0 });
  await mapper.peer.request({ kind: 'store.pin', key: 'b', pid });
  const readers = (): readonly number[] => setting.store.list().map((one) => one.readers);
  t.deepEqual(readers(), [1, 1]);
  await reader.endpoint[Symbol.asyncDispose]();
  await mapper.endpoint[Symbol.asyncDispose]();
  await until('the reader is forgotten', () => readers()[0] === 0);
  t.deepEqual(readers(), [0, 1]);
});

test('an object that can never fit is refused at once, one that fits after others have moved is not', async (t) => {
  await using setting = await openStore();
  const { peer } = await setting.caller();
  await t.throwsAsync(allocate(peer, 'huge', 2 << 20), {
    code: 'E_STORE_FULL',
    message: /never fit/,
  });
  const range = await allocate(peer, 'a', 600_000);
  const views = new MappedViews(() => undefined);
  new Uint8Array(views.unwatched(range)!).fill(7);
  peer.send({ kind: 'store.seal', key: 'a' });
  peer.send({ kind: 'store.unpin', keys: ['a'] });
  await allocate(peer, 'b', 600_000);
  t.deepEqual(
    setting.store.list().map(({ where }) => where),
    ['disk', 'memory'],
  );
  peer.send({ kind: 'store.free', keys: ['b'] });
  peer.send({ kind: 'store.unpin', keys: ['b'] });
  const back = await peer.request<MemoryRange>({ kind: 'store.pin', key: 'a', pid });
  t.true(new Uint8Array(views.unwatched(back)!).every((byte) => byte === 7));
});

test('a path that leads elsewhere is not mapped', (t) => {
  const views = new MappedViews(() => undefined);
  for (const file of ['/etc/passwd', '/dev/shm/x/memory', '/dev/shm/patchbay-store-1/../memory']) {
    const range = { file, size: 10, offset: 0, bytes: 10 };
    const pinned = { key: 'k', store: {} as Address, range };
    t.throws(() => views.open(pinned), { code: 'E_PROTOCOL' });
  }
});

test('whoever wants a copy that is being pulled hears it if the pull fails, and may try again', async (t) => {
  await using setting = await openStore(16 << 20);
  const bytes = 8 << 20;
  const asked: Peer[] = [];
  const source = await openEndpoint({
    events: {
      message: (peer, message) => {
        asked.push(peer);
        if (message.kind !== 'store.pin') return;
        const range: MemoryRange = { file: '', size: 0, offset: 0, bytes };
        peer.send({ kind: 'reply', id: message.id, value: range });
      },
    },
  });
  const { peer } = await setting.caller();
  const fetch = (): Promise<unknown> => {
    const place = new ObjectPlace('k', bytes, 'source', source.address);
    return peer.request({ kind: 'store.fetch', place, pid });
  };
  const first = t.throwsAsync(fetch(), { code: 'E_OBJECT_LOST' });
  await until('the first part is asked for', () => asked.length > 1);
  const second = t.throwsAsync(fetch(), { code: 'E_OBJECT_LOST' });
  await source[Symbol.asyncDispose]();
  await first;
  await second;
  t.deepEqual(setting.store.list(), []);
});

test('a store that was closed has no memory to give, and touches no file that is opened later', async (t) => {
  await using setting = await openStore();
  const { peer } = await setting.caller();
  await allocate(peer, 'a', 10);
  setting.store.close();
  const file = join(tempFolder('later'), 'file');
  writeFileSync(file, '');
  const fds = Array.from({ length: 8 }, () => openSync(file, 'r+'));
  t.is(await allocate(peer, 'b', 1 << 19), null as unknown as MemoryRange);
  t.is(statSync(file).size, 0);
  for (const fd of fds) closeSync(fd);
});
