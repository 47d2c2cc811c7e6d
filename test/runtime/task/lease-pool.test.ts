import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { ActorLostError, RuntimeError } from '../../../runtime/errors.js';
import type { NodeId } from '../../../runtime/ids.js';
import { type Lease, LeasePool } from '../../../runtime/task/lease-pool.js';

class TestLease implements Lease {
  readonly node: NodeId;
  closed = false;
  underWay = 0;
  most = 0;

  constructor(node: NodeId) {
    this.node = node;
  }

  close(): void {
    this.closed = true;
  }
}

interface Asked {
  readonly near: NodeId | undefined;
  readonly signal: AbortSignal;
  grant(node?: NodeId): void;
  refuse(error: Error): void;
}

const [a, b] = ['a' as NodeId, 'b' as NodeId];

interface Fixture {
  readonly pool: LeasePool<TestLease>;
  readonly leases: TestLease[];
  /** Requests for leases that are not answered yet, and what gave them up. */
  readonly asked: Asked[];
  now: number;
}

function fixture(options: { maxCalls?: number; grantAtOnce?: number } = {}): Fixture {
  const { maxCalls, grantAtOnce = 0 } = options;
  const result: Fixture = {
    leases: [],
    asked: [],
    now: 0,
    pool: new LeasePool<TestLease>({
      ...(maxCalls === undefined ? {} : { maxCalls }),
      idleMs: 1,
      clock: () => result.now,
      open: (signal, near) =>
        new Promise((resolve, reject) => {
          const grant = (node = near ?? a): void => {
            const lease = new TestLease(node);
            result.leases.push(lease);
            resolve(lease);
          };
          signal.addEventListener('abort', () => reject(new RuntimeError('E_ABORTED', 'given up')));
          if (result.leases.length < grantAtOnce) grant();
          else result.asked.push({ near, grant, refuse: reject, signal });
        }),
    }),
  };
  return result;
}

/** A job that ends when it is told to. */
function job(
  f: Fixture,
  tookMs = 0,
): { run: (lease: TestLease) => Promise<void>; end: () => void } {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    end: () => end(),
    run: async (lease) => {
      lease.underWay++;
      lease.most = Math.max(lease.most, lease.underWay);
      await ended;
      f.now += tookMs;
      lease.underWay--;
    },
  };
}

test('long tasks run one at a time on each lease', async (t) => {
  const f = fixture({ grantAtOnce: 2 });
  const jobs = Array.from({ length: 4 }, () => job(f, 100));
  const done = jobs.map(({ run }) => f.pool.submit(run));
  await turn();
  t.deepEqual(
    f.leases.map(({ underWay }) => underWay),
    [1, 1],
  );
  for (const { end } of jobs) end();
  await Promise.all(done);
  t.deepEqual(
    f.leases.map(({ most }) => most),
    [1, 1],
  );
  f.pool.close();
});

test('tasks that turn out short are pipelined', async (t) => {
  const f = fixture({ grantAtOnce: 1 });
  await f.pool.submit(async () => undefined);
  const jobs = Array.from({ length: 20 }, () => job(f));
  const done = jobs.map(({ run }) => f.pool.submit(run));
  await turn();
  t.is(f.leases[0]!.most, 20);
  for (const { end } of jobs) end();
  await Promise.all(done);
  f.pool.close();
});

test('leases are asked for as work waits, and no longer when it is done', async (t) => {
  const f = fixture({ grantAtOnce: 1 });
  const jobs = Array.from({ length: 3 }, () => job(f, 100));
  const done = jobs.map(({ run }) => f.pool.submit(run));
  await turn();
  t.true(f.asked.length >= 1 && f.asked.length <= 2);
  for (const { end } of jobs) end();
  await Promise.all(done);
  t.true(f.asked.every(({ signal }) => signal.aborted));
  f.pool.close();
});

test('a refusal is told to all that wait', async (t) => {
  const f = fixture();
  const waiting = [1, 2].map(() => f.pool.submit(async () => undefined));
  for (const { refuse } of f.asked) refuse(new RuntimeError('E_NO_ROOM', 'too large'));
  for (const each of waiting) await t.throwsAsync(each, { code: 'E_NO_ROOM' });
});

test('a lease whose process is gone is not used again', async (t) => {
  const f = fixture({ grantAtOnce: 2 });
  const dead = new ActorLostError('E_ACTOR_DEAD', 'gone');
  await t.throwsAsync(
    f.pool.submit(async () => {
      throw dead;
    }),
    { is: dead },
  );
  let used: TestLease | undefined;
  await f.pool.submit(async (lease) => {
    used = lease;
  });
  t.not(used, f.leases[0]);
  f.pool.close();
});

test('a lease ends after maxCalls tasks', async (t) => {
  const f = fixture({ maxCalls: 2, grantAtOnce: 9 });
  const used: TestLease[] = [];
  for (let n = 0; n < 5; n++) {
    await f.pool.submit(async (lease) => {
      used.push(lease);
    });
  }
  t.is(used[0], used[1]);
  t.not(used[1], used[2]);
  t.true(used[0]!.closed);
  f.pool.close();
});

test('an idle lease is given back, and closing gives all back and rejects what waits', async (t) => {
  const f = fixture({ grantAtOnce: 1 });
  await f.pool.submit(async () => undefined);
  while (!f.leases[0]!.closed) await turn();
  const waiting = f.pool.submit(async () => undefined);
  f.pool.close();
  await t.throwsAsync(waiting, { code: 'E_CLOSED' });
  t.true(f.asked.every(({ signal }) => signal.aborted));
});

const noRoom = new RuntimeError('E_NO_ROOM', 'full');

test('a task takes a held lease of the node it is to be near, and asks for one there otherwise', async (t) => {
  const f = fixture();
  const jobs = [job(f, 100), job(f, 100)];
  const done = jobs.map(({ run }) => f.pool.submit(run));
  f.asked[0]!.grant(a);
  f.asked[1]!.grant(b);
  await turn();
  for (const { end } of jobs) end();
  await Promise.all(done);
  const first = job(f, 100);
  const second = job(f, 100);
  const running = [f.pool.submit(first.run, b), f.pool.submit(second.run, b)];
  t.deepEqual(
    f.leases.map(({ underWay }) => underWay),
    [0, 1],
  );
  const asked = f.asked.at(-1)!;
  t.is(asked.near, b);
  asked.grant();
  await turn();
  t.deepEqual(
    f.leases.map(({ node, underWay }) => [node, underWay]),
    [
      [a, 0],
      [b, 1],
      [b, 1],
    ],
  );
  first.end();
  second.end();
  await Promise.all(running);
  f.pool.close();
});

test('a task whose node has no room runs elsewhere, and that node is left in peace for a while', async (t) => {
  const f = fixture();
  const near = f.pool.submit(async ({ node }) => node, b);
  const [asked] = f.asked.splice(0);
  t.is(asked!.near, b);
  asked!.refuse(noRoom);
  await turn();
  t.is(f.asked[0]!.near, undefined);
  f.asked.splice(0)[0]!.grant(a);
  t.is(await near, a);
  t.is(await f.pool.submit(async ({ node }) => node, b), a);
  t.is(f.asked.length, 0);
  f.now += 100;
  const later = f.pool.submit(async ({ node }) => node, b);
  t.is(f.asked[0]!.near, b);
  f.asked[0]!.grant();
  t.is(await later, b);
  f.pool.close();
});

test('closing rejects also what waits for a lease on one node', async (t) => {
  const f = fixture();
  const waiting = f.pool.submit(async () => undefined, b);
  f.pool.close();
  await t.throwsAsync(waiting, { code: 'E_CLOSED' });
  t.true(f.asked.every(({ signal }) => signal.aborted));
});
