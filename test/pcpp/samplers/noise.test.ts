import test from 'ava';
import fc from 'fast-check';
import { PcppError } from '../../../pcpp/errors.js';
import { initialRows, maxSeed, noiseRows, philox } from '../../../pcpp/samplers/noise.js';
import { concatRows } from '../../../pcpp/tensor.js';

test('philox gives the known answers of its authors', (t) => {
  t.deepEqual(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  t.deepEqual(
    philox([ones, ones, ones, ones], [ones, ones]),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  );
  t.deepEqual(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

test('any split of the rows gives the same field', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: maxSeed }),
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 5 }),
      (seed, width, inner) => {
        const cuts = [0, ...inner.sort((a, b) => a - b), 12];
        const parts = cuts
          .slice(1)
          .map((toRow, i) => initialRows(seed, { channels: 3, width, fromRow: cuts[i]!, toRow }));
        const whole = initialRows(seed, { channels: 3, width, fromRow: 0, toRow: 12 });
        t.deepEqual(concatRows(parts), whole);
      },
    ),
    { numRuns: 50 },
  );
});

test('the values are unit normal', (t) => {
  const { data } = initialRows(7, { channels: 4, width: 256, fromRow: 0, toRow: 256 });
  const mean = (f: (x: number) => number): number =>
    data.reduce((sum, x) => sum + f(x), 0) / data.length;
  t.true(Math.abs(mean((x) => x)) < 0.01);
  t.true(Math.abs(mean((x) => x * x) - 1) < 0.01);
  t.true(Math.abs(mean((x) => x ** 3)) < 0.02);
  t.true(Math.abs(mean((x) => x ** 4) - 3) < 0.06);
  t.true(Math.abs(mean((x) => Number(Math.abs(x) < 1)) - 0.6827) < 0.005);
});

test('neighbouring rows, columns, channels, draws and seeds are uncorrelated', (t) => {
  const rows = { channels: 2, width: 128, fromRow: 0, toRow: 128 };
  const { data } = initialRows(3, rows);
  const dot = (a: Float32Array, b: Float32Array): number => {
    const count = Math.min(a.length, b.length);
    let sum = 0;
    for (let k = 0; k < count; k++) sum += a[k]! * b[k]!;
    return sum / count;
  };
  for (const distance of [1, 2, 4, 128, 128 * 128]) {
    t.true(Math.abs(dot(data, data.subarray(distance))) < 0.03, `distance ${distance}`);
  }
  t.true(Math.abs(dot(data, noiseRows(3, 1, rows).data)) < 0.03);
  t.true(Math.abs(dot(data, initialRows(4, rows).data)) < 0.03);
  t.true(Math.abs(dot(data, initialRows(3 + 2 ** 32, rows).data)) < 0.03);
});

test('a seed that a double cannot hold is refused', (t) => {
  for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
    const error = t.throws(
      () => initialRows(seed, { channels: 1, width: 1, fromRow: 0, toRow: 1 }),
      { instanceOf: PcppError },
    );
    t.is(error.code, 'E_OPTION');
  }
});
