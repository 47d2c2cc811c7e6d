/** What every journal must do. */

import test from 'ava';
import type { Journal } from '../../runtime/head/journal.js';

export const sorted = async (journal: Journal): Promise<readonly unknown[]> =>
  [...(await journal.rows())]
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, value }) => [key, value]);

/** @param newPlace Of a journal that is opened again each time. */
export function journalContract(kind: string, newPlace: () => () => Promise<Journal>): void {
  test(`${kind}: rows are there for the next one, until they are removed`, async (t) => {
    const open = newPlace();
    const first = await open();
    t.deepEqual(await sorted(first), []);
    await first.write([
      { key: 'node/a', value: { name: 'a', gpus: [['g', 5_000]], none: null } },
      { key: 'code/c', value: { source: Uint8Array.of(1, 2, 3), externals: [] } },
    ]);
    await first.write([
      { key: 'node/a', value: { name: 'b' } },
      { key: 'code/nobody', value: undefined },
    ]);
    await first.close();
    const second = await open();
    t.like(await sorted(second), [
      ['code/c', { externals: [] }],
      ['node/a', { name: 'b' }],
    ]);
    const [[, code]] = (await sorted(second)) as [[string, { source: Uint8Array }]];
    t.deepEqual([...code.source], [1, 2, 3]);
    await second.write([{ key: 'node/a' }]);
    t.is((await sorted(second)).length, 1);
    await second.remove();
    const third = await open();
    t.deepEqual(await sorted(third), []);
    await third.remove();
  });

  test(`${kind}: what is written in one go can be large`, async (t) => {
    const journal = await newPlace()();
    const value = new Uint8Array(3_000_000).fill(7);
    await journal.write([
      { key: 'code/a', value },
      ...Array.from({ length: 2_000 }, (_, at) => ({ key: `actor/${at}`, value: { at } })),
    ]);
    t.is((await sorted(journal)).length, 2_001);
    await journal.remove();
  });

  test(`${kind}: rows are as they were when they were written, the last one last`, async (t) => {
    const open = newPlace();
    const journal = await open();
    const value = { count: 1 };
    const kept = [
      journal.write([
        { key: 'a', value: { ...value } },
        { key: 'b', value: 1 },
      ]),
    ];
    for (let count = 2; count <= 100; count++) {
      kept.push(journal.write([{ key: 'a', value: { count } }]));
    }
    kept.push(journal.write([{ key: 'b' }]));
    // Whatever is under way comes first.
    await journal.close();
    await Promise.all(kept);
    const next = await open();
    t.like(await sorted(next), [['a', { count: 100 }]]);
    await next.remove();
  });
}

/** Of those that encode what they are told. */
export function encodingContract(kind: string, newPlace: () => () => Promise<Journal>): void {
  test(`${kind}: of a write that cannot be encoded nothing is there`, async (t) => {
    const journal = await newPlace()();
    const bad = {
      get value(): never {
        throw new Error('no value');
      },
    };
    const write = (): unknown =>
      journal.write([
        { key: 'a', value: 1 },
        { key: 'b', value: bad },
      ]);
    t.throws(write, { code: 'E_JOURNAL', message: /cannot be written: no value/ });
    t.deepEqual(await sorted(journal), []);
    await journal.remove();
  });

  test(`${kind}: two in one process do not share a place`, async (t) => {
    const open = newPlace();
    const journal = await open();
    await t.throwsAsync(open(), { code: 'E_JOURNAL', message: /in use/ });
    await journal.write([{ key: 'a', value: 1 }]);
    t.is((await sorted(journal)).length, 1);
    await journal.remove();
  });
}
