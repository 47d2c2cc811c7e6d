import test from 'ava';
import fc from 'fast-check';
import { pageBytes, RangePool } from '../../../runtime/store/range-pool.js';

test('ranges never overlap, and all of the memory is free again when all were given back', (t) => {
  const capacity = 64 * pageBytes;
  const steps = fc.array(
    fc.oneof(
      fc.record({ take: fc.integer({ min: 1, max: 20 * pageBytes }) }),
      fc.record({ give: fc.nat(50) }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const pool = new RangePool(capacity + 5);
      const taken: { offset: number; bytes: number }[] = [];
      for (const step of list) {
        if ('take' in step) {
          const offset = pool.take(step.take);
          if (offset === undefined) continue;
          const end = offset + step.take;
          if (offset % pageBytes !== 0 || end > capacity) return false;
          if (taken.some((other) => offset < other.offset + other.bytes && other.offset < end)) {
            return false;
          }
          taken.push({ offset, bytes: step.take });
        } else if (taken.length > 0) {
          const [given] = taken.splice(step.give % taken.length, 1);
          pool.give(given!.offset, given!.bytes);
        }
      }
      for (const { offset, bytes } of taken) pool.give(offset, bytes);
      return pool.used === 0 && pool.take(capacity) === 0;
    }),
  );
  t.pass();
});

test('the lowest memory is taken first, so that what was touched is touched again', (t) => {
  const pool = new RangePool(10 * pageBytes);
  const first = pool.take(2 * pageBytes);
  pool.take(pageBytes);
  pool.give(first!, 2 * pageBytes);
  t.is(pool.take(pageBytes), 0);
  t.is(pool.take(pageBytes), pageBytes);
  t.is(pool.take(20 * pageBytes), undefined);
});
