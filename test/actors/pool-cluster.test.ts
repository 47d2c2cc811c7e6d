import test from 'ava';
import { ActorPool } from '../../actors/index.js';
import type { ActorHandle, Remote } from '../../runtime/index.js';
import { openCluster, type TestCluster } from '../helpers/processes.js';

type Actors = typeof import('./pool-worker.js');
type Worker = ActorHandle<InstanceType<Actors['Worker']>>;

let opened: TestCluster;
let lib: Remote<Actors>;

test.before(async () => {
  opened = await openCluster({ workers: 1, resources: { cpu: 8 }, prewarm: 3 });
  lib = await opened.cluster.load<Actors>(new URL('./pool-worker.js', import.meta.url));
});

test.after.always(async () => {
  await opened[Symbol.asyncDispose]();
});

const workers = (count: number): Promise<readonly Worker[]> =>
  Promise.all(Array.from({ length: count }, () => lib.Worker.create()));
const upTo = (count: number): readonly number[] => [...Array(count).keys()];

test.serial('every actor works, and one fails at its own place', async (t) => {
  const actors = await workers(3);
  const pool = new ActorPool(actors);
  const squares: number[] = [];
  for await (const square of pool.map((actor, x) => actor.square(x), upTo(100))) {
    squares.push(square);
  }
  t.deepEqual(
    squares,
    upTo(100).map((x) => x * x),
  );
  const calls = await Promise.all(actors.map((actor) => actor.calls()));
  t.true(calls.every((count) => count > 0));
  const outcomes: string[] = [];
  const odd = (actor: Worker, x: number): Promise<number> =>
    x % 2 ? actor.fail(x) : actor.square(x);
  for await (const outcome of pool.mapSettled(odd, upTo(4))) outcomes.push(outcome.status);
  t.deepEqual(outcomes, ['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  await t.throwsAsync(
    pool
      .map(odd, upTo(9))
      .next()
      .then(() => pool.map(odd, [1]).next()),
    {
      name: 'RangeError',
      message: '1 is too much',
    },
  );
  t.is(pool.size, 3);
  await Promise.all(actors.map((actor) => actor.kill()));
});

test.serial('a call under which its process dies is made on another, if asked', async (t) => {
  const actors = await workers(3);
  const pool = new ActorPool(actors, { retryOnDeath: true });
  const victim = await actors[0]!.pid();
  const results: number[] = [];
  for await (const square of pool.map((actor, x) => actor.square(x), upTo(60))) {
    if (results.length === 10) process.kill(victim, 'SIGKILL');
    results.push(square);
  }
  t.deepEqual(
    results,
    upTo(60).map((x) => x * x),
  );
  t.is(pool.size, 2);
  // Without, its error names how it ended.
  const others = new ActorPool(actors.slice(1));
  const deadly = (actor: Worker, x: number): Promise<number> => actor.squareOrDie(x, [1]);
  const outcomes: PromiseSettledResult<number>[] = [];
  for await (const outcome of others.mapSettled(deadly, [0, 1, 2])) outcomes.push(outcome);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.regex(String((outcomes[1] as PromiseRejectedResult).reason), /exit code 7/);
  t.is(others.size, 1);
  const doomed = (actor: Worker): Promise<number> => actor.squareOrDie(0, [0]);
  others.submit(doomed, 0);
  await t.throwsAsync(others.getNext(), { code: 'E_ACTOR_DEAD' });
  others.submit(doomed, 0);
  await t.throwsAsync(others.getNext(), { code: 'E_NO_ACTOR' });
  await Promise.all(actors.map((actor) => actor.kill()));
});
