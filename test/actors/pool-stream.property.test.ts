import test from 'ava';
import fc from 'fast-check';
import { streamOf } from '../../actors/pool-stream.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ends calls in the order that `picks` says, one a turn, and counts how many were under way at once. */
class Calls {
  readonly #open: (() => void)[] = [];
  readonly #picks: Iterator<number>;
  most = 0;
  begun = 0;

  constructor(picks: readonly number[]) {
    this.#picks = picks[Symbol.iterator]();
  }

  begin(value: number): Promise<number> {
    this.begun++;
    return new Promise((resolve) => {
      this.#open.push(() => resolve(value));
      this.most = Math.max(this.most, this.#open.length);
    });
  }

  endOne(): void {
    const pick = this.#picks.next().value ?? 0;
    this.#open.splice(pick % Math.max(this.#open.length, 1), 1)[0]?.();
  }
}

for (const ordered of [true, false]) {
  test(`whatever ends first: each result once, ${ordered ? 'in order' : 'in any order'}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(9), { maxLength: 40 }),
        fc.nat(30),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(30),
        async (picks, count, width, takes) => {
          const calls = new Calls(picks);
          const values = [...Array(count).keys()];
          const stream = streamOf({
            begin: (value: number) => calls.begin(value),
            values,
            ordered,
            width: () => width,
          });
          const results: number[] = [];
          let hasEnded = false;
          const consumed = (async () => {
            for await (const result of stream) {
              results.push(result);
              if (results.length > takes) break;
            }
            hasEnded = true;
          })();
          while (!hasEnded) {
            await turn();
            calls.endOne();
            t.true(calls.begun <= results.length + 1 + 2 * width);
          }
          await consumed;
          t.true(calls.most <= width);
          t.is(results.length, Math.min(count, takes + 1));
          t.is(new Set(results).size, results.length);
          if (ordered) t.deepEqual(results, values.slice(0, results.length));
        },
      ),
      { numRuns: 100 },
    );
  });
}
