import test from 'ava';
import { mismatch, requireLabels, requireSelector } from '../../runtime/labels.js';

const gpu = { gpu: 'NVIDIA H100 80GB HBM3', zone: 'eu-1' };

test('a selector holds if every entry does', (t) => {
  t.deepEqual(mismatch({}, {}), []);
  t.deepEqual(mismatch({ zone: 'eu-1', gpu: '!T4' }, gpu), []);
  t.deepEqual(mismatch({ gpu: 'in(A100, NVIDIA H100 80GB HBM3)' }, gpu), []);
  t.deepEqual(mismatch({ zone: '!in(eu-1, eu-2)' }, gpu), [
    'label zone is eu-1, wanted !in(eu-1, eu-2)',
  ]);
  t.deepEqual(mismatch({ zone: 'us', rack: '3' }, gpu), [
    'label zone is eu-1, wanted us',
    'label rack is not set, wanted 3',
  ]);
});

test('a node without the label satisfies the negated entries only', (t) => {
  t.deepEqual(mismatch({ zone: '!eu-1' }, {}), []);
  t.deepEqual(mismatch({ zone: '!in(eu-1)' }, {}), []);
  t.is(mismatch({ zone: 'in(eu-1)' }, {}).length, 1);
});

test('what is no expression is refused by name', (t) => {
  for (const expression of ['', 'in(a', 'in()', 'a,b', '!!a', 'in(a,,b)']) {
    t.throws(() => requireSelector({ zone: expression }), {
      code: 'E_OPTION',
      message: /labelSelector zone/,
    });
  }
  t.throws(() => requireLabels({ zone: 'a,b' }), { code: 'E_OPTION' });
  t.deepEqual(requireLabels(gpu), gpu);
});
