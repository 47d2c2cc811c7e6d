import test from 'ava';

test('the suite runs', (t) => {
  t.pass();
});
