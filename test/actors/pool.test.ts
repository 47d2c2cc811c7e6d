import test from 'ava';
import { ActorPool } from '../../actors/index.js';
import { type ActorHandle, ActorLostError } from '../../runtime/index.js';
import { until } from '../helpers/until.js';

/** Stands for an actor: its calls end when the test says so. */
class Stand {
  readonly open: { value: number; end: (result: number) => void; fail: (error: Error) => void }[] =
    [];

  work(value: number): Promise<number> {
    return new Promise((end, fail) => {
      this.open.push({ value, end, fail });
    });
  }
}

const stands = (count: number): readonly Stand[] =>
  Array.from({ length: count }, () => new Stand());
const poolOf = (
  all: readonly Stand[],
  options: ConstructorParameters<typeof ActorPool<Stand>>[1] = {},
): ActorPool<Stand> => new ActorPool(all as unknown as readonly ActorHandle<Stand>[], options);
const work = (actor: ActorHandle<Stand>, value: number): Promise<number> => actor.work(value);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const underWay = (all: readonly Stand[]): readonly number[] =>
  all.flatMap(({ open }) => open.map(({ value }) => value));
const end = (stand: Stand, result: number): void => stand.open.shift()!.end(result);
const fail = (stand: Stand, error: Error): void => stand.open.shift()!.fail(error);
const dead = (isRestarted = false): ActorLostError =>
  new ActorLostError('E_ACTOR_DEAD', 'gone', { isRestarted });

test('map gives results in order, whichever comes first', async (t) => {
  const [a, b] = stands(2) as [Stand, Stand];
  const results = poolOf([a, b]).map(work, [1, 2, 3]);
  const first = results.next();
  await turn();
  t.deepEqual(underWay([a, b]), [1, 2]);
  end(b, 20);
  await turn();
  t.deepEqual(underWay([a, b]), [1, 3], 'the idle actor took the next value');
  end(b, 30);
  end(a, 10);
  t.deepEqual(await first, { done: false, value: 10 });
  t.is((await results.next()).value, 20);
  t.is((await results.next()).value, 30);
  t.true((await results.next()).done);
});

test('mapUnordered gives what is there', async (t) => {
  const [a, b] = stands(2) as [Stand, Stand];
  const results = poolOf([a, b]).mapUnordered(work, [1, 2]);
  const first = results.next();
  await turn();
  end(b, 20);
  t.is((await first).value, 20);
  end(a, 10);
  t.is((await results.next()).value, 10);
  t.true((await results.next()).done);
});

test('values are read no further ahead than two for each actor', async (t) => {
  const all = stands(2);
  let read = 0;
  function* values(): Generator<number> {
    while (true) yield read++;
  }
  const results = poolOf(all).map(work, values());
  t.is(read, 0, 'nothing is read before anybody asks');
  const first = results.next();
  await turn();
  t.is(read, 2);
  // The first is slow: the other actor works on until the results that wait are enough.
  for (let n = 0; n < 5; n++) {
    if (all[1]!.open.length > 0) end(all[1]!, n);
    await turn();
  }
  t.is(read, 4);
  end(all[0]!, 0);
  await first;
  await results.return(undefined);
  const after = read;
  for (const stand of all) for (const call of stand.open.splice(0)) call.end(0);
  await turn();
  t.is(read, after, 'a stream that was left reads nothing more');
});

test('the source is closed when the consumer leaves, and its error comes last', async (t) => {
  const [a] = stands(1) as [Stand];
  const pool = poolOf([a]);
  let closed = false;
  async function* endless(): AsyncGenerator<number> {
    try {
      for (let n = 0; ; n++) yield n;
    } finally {
      closed = true;
    }
  }
  const left = pool.map(work, endless());
  const first = left.next();
  await turn();
  end(a, 0);
  await first;
  await left.return(undefined);
  t.true(closed);
  for (const call of a.open.splice(0)) call.end(0);
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    throw new Error('no more values');
  }
  const results = pool.map(work, failing());
  const one = results.next();
  await until('the call is under way', () => a.open.length === 1);
  end(a, 10);
  t.is((await one).value, 10);
  await t.throwsAsync(results.next(), { message: 'no more values' });
});

test('an error reaches the place of its call, and the pool goes on', async (t) => {
  const [a, b] = stands(2) as [Stand, Stand];
  const pool = poolOf([a, b]);
  const results = pool.map(work, [1, 2, 3, 4]);
  const first = results.next();
  await turn();
  fail(b, new Error('two'));
  await turn();
  end(a, 10);
  t.is((await first).value, 10);
  await t.throwsAsync(results.next(), { message: 'two' });
  t.true((await results.next()).done);
  for (const stand of [a, b]) for (const call of stand.open.splice(0)) call.end(0);
  await turn();
  t.true(pool.hasFree);
  pool.submit(work, 5);
  await turn();
  t.deepEqual(underWay([a, b]), [5]);
});

test('submit and getNext', async (t) => {
  const [a, b] = stands(2) as [Stand, Stand];
  const pool = poolOf([a, b]);
  t.false(pool.hasNext);
  await t.throwsAsync(pool.getNext(), { code: 'E_POOL_STATE' });
  await t.throwsAsync(pool.getNextUnordered(), { code: 'E_POOL_STATE' });
  for (const value of [1, 2, 3, 4]) pool.submit(work, value);
  t.false(pool.hasFree);
  await turn();
  t.deepEqual(underWay([a, b]), [1, 2]);
  end(b, 20);
  t.is(await pool.getNextUnordered(), 20);
  fail(a, new Error('one'));
  await t.throwsAsync(pool.getNext(), { message: 'one' });
  await turn();
  end(b, 30);
  end(a, 40);
  t.is(await pool.getNext(), 30);
  t.true(pool.hasNext);
  t.is(await pool.getNext(), 40);
  t.false(pool.hasNext);
  t.true(pool.hasFree);
});

test('two who ask for what is done first get different results', async (t) => {
  const [a, b] = stands(2) as [Stand, Stand];
  const pool = poolOf([a, b]);
  pool.submit(work, 1);
  pool.submit(work, 2);
  await turn();
  const both = [pool.getNextUnordered(), pool.getNextUnordered()];
  end(a, 10);
  await turn();
  end(b, 20);
  t.deepEqual(await Promise.all(both), [10, 20]);
});

test('mapSettled gives errors as items', async (t) => {
  const [a] = stands(1) as [Stand];
  const results = poolOf([a]).mapSettled(work, [1, 2]);
  const first = results.next();
  await turn();
  fail(a, new Error('one'));
  t.like((await first).value, { status: 'rejected', reason: { message: 'one' } });
  const second = results.next();
  await turn();
  end(a, 20);
  t.like((await second).value, { status: 'fulfilled', value: 20 });
});

test('a dead actor leaves the pool; only if asked its call is made again', async (t) => {
  const [a, b] = stands(2) as [Stand, Stand];
  const pool = poolOf([a, b]);
  pool.submit(work, 1);
  pool.submit(work, 2);
  pool.submit(work, 3);
  await turn();
  fail(a, dead());
  await t.throwsAsync(pool.getNext(), { instanceOf: ActorLostError });
  t.is(pool.size, 1);
  end(b, 20);
  await turn();
  t.deepEqual(underWay([a, b]), [3]);
  end(b, 30);
  t.deepEqual([await pool.getNext(), await pool.getNext()], [20, 30]);

  const retrying = poolOf([a, b], { retryOnDeath: true });
  retrying.submit(work, 1);
  await turn();
  fail(a, dead());
  await turn();
  t.deepEqual(underWay([b]), [1]);
  end(b, 10);
  t.is(await retrying.getNext(), 10);
});

test('an actor that was restarted stays in the pool', async (t) => {
  const [a] = stands(1) as [Stand];
  const pool = poolOf([a], { retryOnDeath: true });
  pool.submit(work, 1);
  await turn();
  fail(a, dead(true));
  await turn();
  end(a, 10);
  t.is(await pool.getNext(), 10);
  t.is(pool.size, 1);
});

test('without any actor left, what waits and what comes fails clearly', async (t) => {
  const [a] = stands(1) as [Stand];
  const pool = poolOf([a], { retryOnDeath: true });
  pool.submit(work, 1);
  pool.submit(work, 2);
  await turn();
  const death = dead();
  fail(a, death);
  for (const _ of [1, 2]) {
    const error = await t.throwsAsync(pool.getNext(), { code: 'E_NO_ACTOR', message: /has died/ });
    t.is(error.cause, death);
  }
  await t.throwsAsync(pool.map(work, [1]).next(), { code: 'E_NO_ACTOR' });
  await t.throwsAsync(poolOf([]).map(work, [1]).next(), { message: /has no actors/ });
  const fresh = new Stand();
  pool.push(fresh as unknown as ActorHandle<Stand>);
  pool.submit(work, 3);
  await turn();
  end(fresh, 30);
  t.is(await pool.getNext(), 30);
});

test('an actor can be taken out and put back', async (t) => {
  const [a] = stands(1) as [Stand];
  const pool = poolOf([a]);
  const taken = pool.popIdle();
  t.is(taken as unknown, a);
  t.is(pool.popIdle(), undefined);
  t.is(pool.size, 0);
  pool.push(taken!);
  t.true(pool.hasFree);
});
