import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import type { ActorId } from '../../../runtime/ids.js';
import type { ActorHandle, Remote } from '../../../runtime/index.js';
import { Endpoint } from '../../../runtime/wire/endpoint.js';
import { openCluster, type TestCluster } from '../../helpers/processes.js';
import { tempFolder } from '../../helpers/temp-folder.js';

type Actors = typeof import('../../fixtures/actors/probe.js');
const test = anyTest as TestFn;
let opened: TestCluster;
let lib: Remote<Actors>;

test.before(async () => {
  opened = await openCluster({ workers: 1, resources: { cpu: 8 } });
  lib = await opened.cluster.load<Actors>(
    new URL('../../fixtures/actors/probe.js', import.meta.url),
  );
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

/** An actor whose thread is held until `release`. */
async function blocked() {
  const probe: ActorHandle<InstanceType<Actors['ThreadProbe']>> = await lib.ThreadProbe.create();
  const file = join(tempFolder('release'), 'go');
  await probe.pid();
  const blocking = probe.blockUntil(file);
  // Whoever kills the actor in the meantime does not wait for this.
  blocking.catch(() => undefined);
  const release = async (): Promise<void> => {
    writeFileSync(file, '');
    await blocking;
  };
  return { probe, release };
}

test('the links of a host live while its actor holds the thread', async (t) => {
  const { probe, release } = await blocked();
  const stranger = new Endpoint({
    role: 'driver',
    token: opened.local.token,
    events: { message: () => undefined },
  });
  const actor = 'nobody' as ActorId;
  const call = { kind: 'call', actor, method: 'm', args: [], stream: false } as const;
  // Dialled and answered by the host's main thread, in the middle of the block.
  const request = stranger.to(probe.ref.address).request(call);
  await t.throwsAsync(request, { code: 'E_ACTOR_DEAD', message: /nobody is not here/ });
  const waiting = probe.echo('after');
  const given = new AbortController();
  const abandoned = probe.with({ signal: given.signal }).echo('never');
  given.abort();
  await t.throwsAsync(abandoned, { code: 'E_ABORTED' });
  await release();
  t.is(await waiting, 'after');
  await stranger.close();
});

test('what piles up on the latest-wins lane during a block is bounded, and the newest survives', async (t) => {
  const { probe, release } = await blocked();
  for (let n = 0; n < 1_000; n++) probe.latest('s', { credits: 3 }).note(n);
  for (let n = 0; n < 1_000; n++) probe.latest('r').note(-n);
  await release();
  while (!((await probe.notes()) as number[]).includes(999));
  while (!((await probe.notes()) as number[]).includes(-999));
  const notes = (await probe.notes()) as number[];
  t.deepEqual(
    notes.filter((n) => n > 0 && n < 999),
    [1, 2],
  );
  t.deepEqual(
    notes.filter((n) => n < 0),
    [-1, -999],
  );
});

for (const name of ['SignalProbe', 'SignalThreadProbe'] as const) {
  test(`${name}: an aborted call keeps its place until its method has ended`, async (t) => {
    const probe = await lib[name].create();
    const given = new AbortController();
    const held = probe.with({ signal: given.signal }).hold('it');
    await probe.until('it began');
    given.abort();
    await t.throwsAsync(held, { code: 'E_ABORTED' });
    await probe.until('it aborted');
    const next = probe.running();
    await probe.happen('it may end');
    t.is(await next, 0);
  });
}

test('an actor that holds its thread can be killed', async (t) => {
  const { probe } = await blocked();
  const waiting = probe.echo(1);
  await Promise.all([t.throwsAsync(waiting, { code: 'E_ACTOR_DEAD' }), probe.kill()]);
});

test('a thread that ends takes its host along, with its last words', async (t) => {
  const probe = await lib.ThreadProbe.create();
  await t.throwsAsync(probe.crash('the end of it'), {
    code: 'E_ACTOR_DEAD',
    message: /exit code 1[\s\S]*the end of it/,
  });
});
