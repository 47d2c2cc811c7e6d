import test from 'ava';
import { Supervisor, type SupervisorOptions } from '../../actors/index.js';
import { delayOf } from '../../actors/supervisor.js';
import type { ActorHandle, Remote } from '../../runtime/index.js';
import { openCluster, type TestCluster } from '../helpers/processes.js';
import { until } from '../helpers/until.js';

type Actors = typeof import('./pool-worker.js');
type Worker = InstanceType<Actors['Worker']>;

let opened: TestCluster;
let lib: Remote<Actors>;

test.before(async () => {
  opened = await openCluster({ workers: 1, resources: { cpu: 2 }, prewarm: 2 });
  lib = await opened.cluster.load<Actors>(new URL('./pool-worker.js', import.meta.url));
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

const make = (signal: AbortSignal): Promise<ActorHandle<Worker>> => lib.Worker.create({ signal });
const kill = async (actor: ActorHandle<Worker>): Promise<void> => {
  process.kill(await actor.pid(), 'SIGKILL');
};

/** What happened, in order; delays pass at once. */
async function supervised(
  options: SupervisorOptions = {},
  how: typeof make = make,
): Promise<{ supervisor: Supervisor<Worker>; log: (string | number)[] }> {
  const supervisor = await Supervisor.start(opened.cluster, how, {
    jitter: () => 1,
    sleep: () => Promise.resolve(),
    ...options,
  });
  const log: (string | number)[] = [];
  supervisor.events.on('died', ({ message }) => log.push(message));
  supervisor.events.on('waiting', (ms) => log.push(ms));
  supervisor.events.on('restarted', (_, restarts) => log.push(`restarted ${restarts}`));
  supervisor.events.on('ended', ({ message }) => log.push(message));
  return { supervisor, log };
}

const actorsAlive = async (): Promise<number> => {
  const { actors } = await opened.cluster.status();
  return actors.filter(({ phase }) => phase !== 'dead').length;
};

test('delays double up to the longest; jitter shortens them by half at most', (t) => {
  const limits = { firstDelayMs: 100, maxDelayMs: 1_000 };
  const whole = [0, 1, 2, 3, 4, 50].map((restart) => delayOf(restart, 1, limits));
  t.deepEqual(whole, [100, 200, 400, 800, 1_000, 1_000]);
  t.is(delayOf(1, 0, limits), 100);
  t.is(delayOf(1, 0.5, limits), 150);
  t.is(delayOf(3, 0, { firstDelayMs: 0, maxDelayMs: 9 }), 0);
});

test.serial('an actor that dies is made again, later and later, up to the limit', async (t) => {
  const { supervisor, log } = await supervised({ maxRestarts: 2 });
  const first = await supervisor.actor();
  for (let n = 1; n <= 2; n++) {
    await kill(await supervisor.actor());
    await until(`restart ${n}`, () => log.includes(`restarted ${n}`));
  }
  const last = await supervisor.actor();
  t.not(last.id, first.id);
  t.is(await last.square(3), 9);
  await kill(last);
  await until('it gives up', () => supervisor.phase === 'ended');
  const story = log.map((entry) => (/died of SIGKILL/.test(String(entry)) ? 'died' : entry));
  t.deepEqual(story.slice(0, 7), ['died', 100, 'restarted 1', 'died', 200, 'restarted 2', 'died']);
  t.regex(String(log[7]), /has ended: 2 restarts in a row/);
  const error = await t.throwsAsync(supervisor.actor(), { code: 'E_GAVE_UP' });
  t.regex(String(error.cause), /SIGKILL/);
  await supervisor.close();
  t.is(await actorsAlive(), 0);
});

test.serial('who asks meanwhile gets the new actor', async (t) => {
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { supervisor } = await supervised({ sleep: () => gate });
  await kill(await supervisor.actor());
  await until('it waits', () => supervisor.phase === 'restarting');
  const next = supervisor.actor();
  go();
  t.is(await (await next).square(4), 16);
  await supervisor.close();
});

test.serial('an actor that lived long enough is well: its restarts count anew', async (t) => {
  let now = 0;
  const { supervisor, log } = await supervised({
    maxRestarts: 1,
    wellAfterMs: 1_000,
    clock: () => now,
  });
  for (let n = 0; n < 3; n++) {
    const actor = await supervisor.actor();
    now += 1_000;
    await kill(actor);
    await until('it lives again', () => log.filter((x) => x === 'restarted 1').length === n + 1);
  }
  t.deepEqual(
    log.filter((entry) => typeof entry === 'number'),
    [100, 100, 100],
  );
  await supervisor.close();
});

test.serial('a failure to make it counts as a death, the very first is thrown', async (t) => {
  let failures = 0;
  const how = (signal: AbortSignal): Promise<ActorHandle<Worker>> => {
    if (failures-- > 0) return Promise.reject(new Error('no place'));
    return make(signal);
  };
  const { supervisor, log } = await supervised({ maxRestarts: 3 }, how);
  failures = 2;
  await kill(await supervisor.actor());
  await until('it lives again', () => log.includes('restarted 3'));
  t.deepEqual(log.slice(1), [100, 'no place', 200, 'no place', 400, 'restarted 3']);
  failures = 9;
  await kill(await supervisor.actor());
  await until('it gives up', () => supervisor.phase === 'ended');
  await supervisor.close();
  await t.throwsAsync(
    Supervisor.start(opened.cluster, () => Promise.reject(new Error('never'))),
    {
      message: 'never',
    },
  );
  for (const options of [{ maxRestarts: 0.5 }, { firstDelayMs: -1 }, { wellAfterMs: Number.NaN }]) {
    await t.throwsAsync(Supervisor.start(opened.cluster, make, options), { code: 'E_OPTION' });
  }
});

test.serial('closing ends the actor, a wait and a making under way', async (t) => {
  const { supervisor, log } = await supervised();
  await supervisor.close();
  t.is(await actorsAlive(), 0);
  t.deepEqual(log, ['the supervisor has ended: it was closed']);
  await t.throwsAsync(supervisor.actor(), { code: 'E_GAVE_UP' });
  await supervisor.close();

  // With the real timer.
  const waiting = await Supervisor.start(opened.cluster, make, { firstDelayMs: 1_000_000 });
  const began = new Promise((resolve) => waiting.events.once('waiting', resolve));
  await kill(await waiting.actor());
  await began;
  const asked = waiting.actor();
  await waiting.close();
  await t.throwsAsync(asked, { code: 'E_GAVE_UP' });

  let makings = 0;
  let finish: () => void = () => undefined;
  const late = await supervised({}, async () => {
    if (makings++ > 0) {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    }
    return lib.Worker.create();
  });
  await kill(await late.supervisor.actor());
  await until('it is made again', () => makings === 2);
  const closing = late.supervisor.close();
  finish();
  await closing;
  t.false(late.log.includes('restarted 1'));
  t.is(await actorsAlive(), 0);
});
