import test from 'ava';
import fc from 'fast-check';
import {
  minus,
  plus,
  shortage,
  toQuantities,
  toResources,
  utilisation,
} from '../../runtime/resources.js';

test('ten times a tenth of a GPU is exactly one', (t) => {
  const tenth = toQuantities({ gpu: 0.1 });
  const taken = Array.from({ length: 10 }).reduce<typeof tenth>((sum) => plus(sum, tenth), {});
  t.deepEqual(taken, toQuantities({ gpu: 1 }));
});

test('amounts that are negative, no number or divided too finely are an E_OPTION', (t) => {
  for (const amount of [-1, Number.NaN, Number.POSITIVE_INFINITY, 0.00001, 1 / 3]) {
    t.throws(() => toQuantities({ cpu: amount }), { code: 'E_OPTION', message: /^resource cpu/ });
  }
});

test('zero is the same as absent', (t) => {
  t.deepEqual(toQuantities({ cpu: 0, gpu: 1 }), { gpu: 10_000 });
});

test('what is lacking is said in words', (t) => {
  const free = toQuantities({ cpu: 2 });
  t.deepEqual(shortage(toQuantities({ cpu: 4, gpu: 0.5 }), free), [
    'needs 4 cpu, has 2',
    'needs 0.5 gpu, has 0',
  ]);
  t.deepEqual(shortage(toQuantities({ cpu: 2 }), free), []);
});

test('utilisation is that of the scarcest resource', (t) => {
  const total = toQuantities({ cpu: 4, gpu: 2 });
  t.is(utilisation(total, total), 0);
  t.is(utilisation(total, toQuantities({ cpu: 3, gpu: 0.5 })), 0.75);
  t.is(utilisation(total, { cpu: 0, gpu: 20_000 }), 1);
});

test('amounts come back as people wrote them, and what is taken returns', (t) => {
  const amounts = fc.dictionary(
    fc.constantFrom('cpu', 'gpu', 'ram'),
    fc.integer({ min: 1, max: 1e7 }).map((units) => units / 10_000),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      t.deepEqual(toResources(toQuantities(a)), a);
      const back = minus(plus(toQuantities(a), toQuantities(b)), toQuantities(b));
      for (const [name, units] of Object.entries(back)) t.is(units, toQuantities(a)[name] ?? 0);
    }),
  );
});
