/** Large segments that processes of one machine hand to each other in memory, over real sockets. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import type { ActorId } from '../../../runtime/ids.js';
import { collectGarbage } from '../../../runtime/store/garbage.js';
import { LentRanges } from '../../../runtime/store/lent-ranges.js';
import type { Address } from '../../../runtime/wire/address.js';
import { call, openEndpoint } from '../../helpers/endpoints.js';
import { allBack, mapped, nameless, openLending, untilLent } from '../../helpers/lending.js';
import { until } from '../../helpers/until.js';

const numbers = (length: number, from = 0): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, n) => from + n);
/** 400 kB. */
const length = 100_000;
/** AVA looks at arrays number by number. */
const isSame = (a: unknown, b: Float32Array): boolean =>
  a instanceof Float32Array &&
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer));
const tell = (...args: readonly unknown[]) =>
  ({ kind: 'tell', actor: 'a' as ActorId, method: 'm', args }) as const;

test.serial('large segments, nested ones too, do not cross the link, nor do answers', async (t) => {
  await using a = await openLending();
  await using b = await openLending();
  const toB = a.opened.endpoint.to(b.opened.address);
  await untilLent(toB);
  const back = b.opened.endpoint.peers.get(a.opened.endpoint.process)!;
  await until('answers are lent', async () => {
    await toB.request(call(numbers(length)));
    return back.lentBytes > 0;
  });
  const value = {
    list: [numbers(length), new Map([['k', numbers(length, 5)]])],
    small: Uint8Array.of(1, 2, 3),
    big: BigInt64Array.from({ length }, (_, n) => BigInt(n)),
  };
  const { bytesIn, bytesOut } = toB.counts;
  t.true(isDeepStrictEqual(await toB.request(call(value)), value));
  t.true(toB.counts.bytesOut - bytesOut < 1_000);
  t.true(toB.counts.bytesIn - bytesIn < 1_000);
});

test.serial(
  'whoever is lent a copy may write to it: caller and others see nothing of it',
  async (t) => {
    await using a = await openLending();
    await using b = await openLending({ holds: true });
    const toB = a.opened.endpoint.to(b.opened.address);
    await untilLent(toB);
    b.held.length = 0;
    const lentBefore = toB.lentBytes;
    const array = numbers(length);
    const answers = [toB.request(call(1, array)), toB.request(call(2, array))];
    toB.tell(tell(array));
    // A told one is copied when it is told; a call, as ever, at the end of the microtask.
    await Promise.all(answers);
    array.fill(7);
    t.is(toB.lentBytes - lentBefore, 3 * array.byteLength);
    const [first, second, told] = b.held.map((args) => args.at(-1) as Float32Array);
    first!.fill(9);
    t.true(isSame(second, numbers(length)) && isSame(told, numbers(length)));
    t.true(array.every((n) => n === 7));
  },
);

test.serial('what is lent comes in order with what is not', async (t) => {
  await using a = await openLending({ bytes: 4 * 2 ** 20 });
  await using b = await openLending({ holds: true });
  const toB = a.opened.endpoint.to(b.opened.address);
  await untilLent(toB);
  b.held.length = 0;
  const sizes = [length, 1, 30_000, 0, 2 * length, 5, length, 1_000_000, 3, length, length, length];
  const before = toB.lentBytes;
  const large = sizes.filter((size) => size * 4 >= 100 * 1024).length;
  for (const [place, size] of sizes.entries()) toB.tell(tell(place, numbers(size, place)));
  await toB.request(call('end'));
  const lent = toB.lentBytes - before;
  // There was room for some and not for all: those went over the link, in their turn.
  t.true(lent > 0 && lent < large * length * 4 * 2, `${lent}`);
  t.is(b.held.length, sizes.length + 1);
  for (const [place, size] of sizes.entries()) {
    t.is(b.held[place]![0], place);
    t.true(isSame(b.held[place]![1], numbers(size, place)));
  }
});

test.serial(
  'memory is used again when its reader looks no more, and asked for when it is short',
  async (t) => {
    const bytes = 4 * 2 ** 20;
    await using a = await openLending({ bytes });
    await using b = await openLending({ reply: () => null });
    const toB = a.opened.endpoint.to(b.opened.address);
    await untilLent(toB);
    const before = toB.lentBytes;
    // Far more than there is. Nobody looks for garbage of himself so early.
    await until('more than all of it was lent', async () => {
      await toB.request(call(numbers(length)));
      return toB.lentBytes - before > 1.5 * bytes;
    });
    await allBack(a);
    t.is(a.lending.lender.bytes, 0);
  },
);

test.serial(
  'after a quiet while readers are asked for what they do not use, and memory goes back to the machine',
  async (t) => {
    let now = 0;
    await using a = await openLending({ clock: () => now });
    await using b = await openLending({ reply: () => null });
    const toB = a.opened.endpoint.to(b.opened.address);
    await untilLent(toB);
    await toB.request(call(numbers(length)));
    const { lender } = a.lending;
    lender.sweep();
    t.true(lender.bytes > 0);
    now = 10_000;
    // Nobody here looks for garbage of himself.
    lender.sweep();
    await until('it is back', () => lender.bytes === 0);
    t.true(nameless() >= length * 4);
    lender.sweep();
    t.true(nameless() < length * 4, `${nameless()}`);
    const before = toB.lentBytes;
    await toB.request(call(numbers(length)));
    t.is(toB.lentBytes - before, length * 4);
  },
);

test.serial(
  'what does not fit, or cannot be sent, goes or fails as ever and leaves nothing lent',
  async (t) => {
    const bytes = 4 * 2 ** 20;
    await using a = await openLending({
      bytes,
      limits: { maxQueuedBytes: 2 ** 19, chunkBytes: 2 ** 16 },
    });
    await using b = await openLending({ reply: () => null });
    const toB = a.opened.endpoint.to(b.opened.address);
    await untilLent(toB);
    await allBack(a);
    const before = toB.lentBytes;
    const half = new Uint8Array(bytes / 2 + 1);
    // More than half of the memory, and more than may be queued.
    await t.throwsAsync(toB.request(call(half)), { code: 'E_BACKPRESSURE' });
    const many = Array.from({ length: 8 }, () => new Uint8Array(99_000));
    await t.throwsAsync(toB.request(call(numbers(length), many)), { code: 'E_BACKPRESSURE' });
    t.is(a.lending.lender.bytes, 0);
    t.is(toB.lentBytes, before);
  },
);

test.serial(
  'to who borrows nothing, or is told that there is none, all goes over the link',
  async (t) => {
    await using a = await openLending();
    await using plain = await openEndpoint({ unix: true });
    const toPlain = a.opened.endpoint.to(plain.address);
    for (let n = 0; n < 3; n++)
      t.true(isSame(await toPlain.request(call(numbers(length))), numbers(length)));
    t.is(toPlain.lentBytes, 0);
    await using b = await openLending();
    process.env['PATCHBAY_SHARED_MEMORY'] = 'off';
    try {
      const toB = a.opened.endpoint.to(b.opened.address);
      for (let n = 0; n < 3; n++)
        t.true(isSame(await toB.request(call(numbers(length))), numbers(length)));
      t.is(toB.lentBytes, 0);
    } finally {
      delete process.env['PATCHBAY_SHARED_MEMORY'];
    }
  },
);

test.serial(
  'memory that is not what it is said to be is refused, and a segment that nobody lent',
  async (t) => {
    await using a = await openLending();
    await using b = await openLending();
    const toB = a.opened.endpoint.to(b.opened.address);
    await toB.request(call(1));
    const offer = { kind: 'lent.offer', pid: process.pid, bytes: 4096, mark: 'm', at: 0 } as const;
    for (const fd of [0, 1, 99_999]) t.is(await toB.request({ ...offer, fd }), null);
    await untilLent(toB);
    const range = a.lending.lend(toB, new Uint8Array(200_000))!;
    const back = b.opened.endpoint.peers.get(a.opened.endpoint.process)!;
    t.is(b.lending.borrow(back, range).byteLength, 200_000);
    t.throws(() => b.lending.borrow(back, { ...range, bytes: 2 ** 40 }), { name: 'RangeError' });
    t.throws(() => a.lending.borrow(toB, range), {
      code: 'E_PROTOCOL',
      message: /has lent nothing/,
    });
  },
);

test.serial(
  'after a broken link what is still looked at stays lent, and the rest comes back',
  async (t) => {
    await using a = await openLending();
    await using b = await openLending({ holds: true, reply: () => null });
    const toB = a.opened.endpoint.to(b.opened.address);
    await untilLent(toB);
    b.held.length = 0;
    await toB.request(call(numbers(length)));
    t.is(b.held.length, 1);
    b.opened.endpoint.peers.get(a.opened.endpoint.process)!.close('broken', false);
    await until('it is gone', () => toB.closed);
    const again = a.opened.endpoint.to(b.opened.address);
    await untilLent(again);
    b.held.splice(1);
    await until('the rest is back', async () => {
      await collectGarbage();
      return a.lending.lender.bytes === length * 4;
    });
    for (let n = 0; n < 10; n++) await again.request(call(new Float32Array(length)));
    t.true(isSame(b.held[0]![0], numbers(length)));
  },
);

test.serial(
  'a reader that is killed gives all back; memory of a killed lender goes with its last view',
  async (t) => {
    const before = mapped();
    await using a = await openLending({ holds: true, reply: () => null });
    const child = fork(new URL('../../fixtures/lending-process.js', import.meta.url), [
      JSON.stringify(a.opened.address),
    ]);
    const [address] = (await once(child, 'message')) as [Address];
    const peer = a.opened.endpoint.to(address);
    await untilLent(peer);
    t.true(a.lending.lender.bytes > 0);
    // Of this process for the other and of the other for this one.
    t.is(mapped(), before + 2);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await until('it is back', () => a.lending.lender.bytes === 0);
    const view = (a.held.find(([what]) => what === 'an array') as [string, Float64Array])[1];
    t.is(
      view.reduce((sum, n) => sum + n, 0),
      (99_999 * 100_000) / 2,
    );
    a.held.length = 0;
  },
);

test('ranges come back once, and only from who has them', (t) => {
  const [a, b] = ['a', 'b'] as never[];
  const lent = new LentRanges();
  lent.add(a!, { offset: 0, bytes: 10 });
  lent.add(a!, { offset: 4096, bytes: 20 });
  lent.add(b!, { offset: 8192, bytes: 30 });
  t.deepEqual(lent.back(b!, [0, 4096, 5]), []);
  t.deepEqual(lent.back(a!, [0, 0]), [{ offset: 0, bytes: 10 }]);
  t.deepEqual([lent.bytes, lent.borrowers], [50, ['a', 'b'] as never]);
  t.deepEqual(lent.allBut(a!, [4096]), []);
  t.deepEqual(lent.allBut(a!, []), [{ offset: 4096, bytes: 20 }]);
  t.deepEqual(lent.allBut(b!, []), [{ offset: 8192, bytes: 30 }]);
  t.deepEqual([lent.bytes, lent.borrowers], [0, []]);
});
