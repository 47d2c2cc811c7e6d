import anyTest, { type TestFn } from 'ava';
import { connect, type Remote } from '../../../runtime/index.js';
import { openCluster, type TestCluster } from '../../helpers/processes.js';

type Actors = typeof import('../../fixtures/actors/probe.js');
const actors = new URL('../../fixtures/actors/probe.js', import.meta.url);
const test = anyTest as TestFn<{ opened: TestCluster; lib: Remote<Actors> }>;
let opened: TestCluster;
let lib: Remote<Actors>;

test.before(async () => {
  opened = await openCluster({ resources: { cpu: 32 } });
  lib = await opened.cluster.load<Actors>(actors);
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

test('calls and tells of one caller run in their order', async (t) => {
  const probe = await lib.Probe.create();
  const calls = Array.from({ length: 300 }, (_, n) =>
    n % 3 === 0 ? probe.tell.note(n) : probe.note(n),
  );
  await Promise.all(calls);
  t.deepEqual(await probe.notes(), [...calls.keys()]);
});

test('maxConcurrency is what the class says, unless the creator says otherwise', async (t) => {
  for (const [create, most] of [
    [() => lib.Probe.create(), 1],
    [() => lib.WideProbe.create(), 8],
    [() => lib.WideProbe.create({ maxConcurrency: 3 }), 3],
    [() => lib.ThreadProbe.create({ maxConcurrency: 2 }), 2],
  ] as const) {
    const probe = await create();
    await Promise.all(Array.from({ length: 20 }, () => probe.overlap()));
    t.is(await probe.most(), most);
  }
  await t.throwsAsync(lib.Probe.create({ maxConcurrency: 0 }), { code: 'E_OPTION' });
});

test('values of every kind come back as they went', async (t) => {
  const probe = await lib.ThreadProbe.create();
  const value = {
    map: new Map<unknown, unknown>([[1, new Set(['x'])]]),
    floats: Float32Array.of(1.5, -0),
    big: 2n ** 70n,
    when: new Date(0),
    none: undefined,
    text: 'ü🙂',
  };
  t.deepEqual(await probe.echo(value), value);
});

for (const kind of ['WideProbe', 'ThreadProbe'] as const) {
  test(`${kind}: leaving a stream early aborts its signal and closes the generator`, async (t) => {
    const probe = await lib[kind].create();
    for await (const n of probe.stream.endless('s')) if (n === 5) break;
    await Promise.all([probe.until('s aborted'), probe.until('s closed')]);
    t.pass();
  });

  test(`${kind}: an abort and a timeout reject at once and reach the actor`, async (t) => {
    const probe = await lib[kind].create();
    const controller = new AbortController();
    const stalled = probe.with({ signal: controller.signal }).stall('a');
    await probe.until('a began');
    controller.abort(new Error('enough'));
    const error = await t.throwsAsync(stalled, { code: 'E_ABORTED' });
    t.is((error.cause as Error).message, 'enough');
    await probe.until('a aborted');
    await t.throwsAsync(probe.with({ timeoutMs: 50 }).stall('b'), {
      code: 'E_TIMEOUT',
      message: /Probe\.stall took longer than 50 ms/,
    });
    await probe.until('b aborted');
    const stream = probe.with({ timeoutMs: 50 }).stream.endless('c');
    await t.throwsAsync(
      (async () => {
        for await (const n of stream) t.true(n >= 0);
      })(),
      { code: 'E_TIMEOUT' },
    );
    await probe.until('c closed');
  });

  test(`${kind}: errors keep name, code, cause and the place in the source`, async (t) => {
    const probe = await lib[kind].create();
    const error = await t.throwsAsync(probe.fail());
    t.like(error, { name: 'RangeError', message: 'out of bounds', code: 'E_BOUNDS' });
    t.is((error.cause as Error).message, 'the reason');
    t.regex(error.stack ?? '', /probe\.ts:\d+:\d+/);
  });

  test(`${kind}: what cannot be sent is an E_ENCODE for whoever waits`, async (t) => {
    const probe = await lib[kind].create();
    const message = /^args\[0\]\.cfg\.socket is a function/;
    await t.throwsAsync(probe.echo({ cfg: { socket: () => 1 } }), { code: 'E_ENCODE', message });
    await t.throwsAsync(probe.unsendable(), { code: 'E_ENCODE', message: /value\.socket/ });
    t.throws(() => probe.tell.note(() => 1), { code: 'E_ENCODE' });
    t.throws(() => probe.latest('s').note(() => 1), { code: 'E_ENCODE' });
    t.is(await probe.echo(1), 1);
  });

  test(`${kind}: a stream with an unsendable item fails and frees its place`, async (t) => {
    const probe = await lib[kind].create({ maxConcurrency: 1 });
    const items: unknown[] = [];
    const pull = async (): Promise<void> => {
      for await (const item of probe.stream.partly()) items.push(item);
    };
    await t.throwsAsync(pull(), { code: 'E_ENCODE' });
    t.deepEqual(items, [1]);
    t.is(await probe.echo('free'), 'free');
  });

  test(`${kind}: an actor calls others, itself and streams of others by their handles`, async (t) => {
    const [one, two] = await Promise.all([lib[kind].create(), lib[kind].create()]);
    t.deepEqual(await one.askEcho(two, { x: Uint8Array.of(1) }), { x: Uint8Array.of(1) });
    t.is(await one.askEcho(one, 'me'), 'me');
    t.is(await one.sumOf(two, 200), 19_900);
    await two.until('sum closed');
    t.deepEqual(await one.callWith({ deep: [two] }), new Map([['a', 1]]));
    await one.tellNote(two, 'told');
    while ((await two.notes()).length === 0);
    t.deepEqual(await two.notes(), ['told']);
    t.is(((await one.self()) as typeof one).id, one.id);
  });
}

test('a method that is missing, or no method, is an E_METHOD', async (t) => {
  const probe = (await lib.Probe.create()) as unknown as Record<string, () => Promise<unknown>>;
  for (const name of ['nothing', '#log']) {
    await t.throwsAsync(probe[name]!(), { code: 'E_METHOD', message: /Probe has no method/ });
  }
});

test('a constructor that throws is an E_ACTOR_START with its error', async (t) => {
  const error = await t.throwsAsync(lib.Thrower.create({ args: ['not today'] }), {
    code: 'E_ACTOR_START',
    message: /Thrower: not today/,
  });
  t.like(error.cause, { name: 'TypeError', message: 'not today' });
  t.regex((error.cause as Error).stack ?? '', /probe\.ts/);
});

test('absent exports, values that are no classes, and reserved names are refused', async (t) => {
  const loose = lib as unknown as Record<string, typeof lib.Probe>;
  t.throws(() => loose['Missing'], { code: 'E_EXPORT', message: /no Missing; it has: .*Probe/ });
  await t.throwsAsync(loose['notAClass']!.create(), { code: 'E_EXPORT' });
  await t.throwsAsync(lib.Reserved.create(), { code: 'E_EXPORT', message: /named kill/ });
});

test('constructor arguments that cannot be sent are named', async (t) => {
  const args = [{ on: () => 1 }] as never;
  const message = /^args\[0\]\.on is a function/;
  await t.throwsAsync(lib.Probe.create({ args }), { code: 'E_ENCODE', message });
});

test('named actors are found by other drivers, and are one', async (t) => {
  const probe = await lib.Probe.create({ name: 'the-one' });
  await t.throwsAsync(lib.Probe.create({ name: 'the-one' }), { code: 'E_NAME_TAKEN' });
  await t.throwsAsync(opened.cluster.actor('nobody'), { code: 'E_NAME_UNKNOWN' });
  const { address, token } = opened.local;
  await using other = await connect({ address, token });
  const found = await other.actor<InstanceType<Actors['Probe']>>('the-one');
  await found.note('from the other');
  t.deepEqual(await probe.notes(), ['from the other']);
  await probe.kill();
  await t.throwsAsync(found.pid(), { code: 'E_ACTOR_DEAD', message: /the-one/ });
  await t.throwsAsync(other.actor('the-one'), { code: 'E_NAME_UNKNOWN' });
});

test('several drivers call one actor, each in its own order', async (t) => {
  await lib.Probe.create({ name: 'shared' });
  const { address, token } = opened.local;
  const drivers = await Promise.all([1, 2, 3].map(() => connect({ address, token })));
  await Promise.all(
    drivers.map(async (driver, index) => {
      const shared = await driver.actor<InstanceType<Actors['Probe']>>('shared');
      await Promise.all(Array.from({ length: 50 }, (_, n) => shared.note([index, n])));
    }),
  );
  const shared = await drivers[0]!.actor<InstanceType<Actors['Probe']>>('shared');
  const notes = (await shared.notes()) as [number, number][];
  for (const index of drivers.keys()) {
    const own = notes.filter(([driver]) => driver === index).map(([, n]) => n);
    t.deepEqual(own, [...Array(50).keys()]);
  }
  await Promise.all(drivers.map((driver) => driver.close()));
});

test.serial('a program that could not connect is as it was before', async (t) => {
  const before = process.listenerCount('exit');
  const refused = connect({ address: 'ws://127.0.0.1:1', token: 'x' });
  await t.throwsAsync(refused, { code: 'E_UNREACHABLE' });
  t.is(process.listenerCount('exit'), before);
});
