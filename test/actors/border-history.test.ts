import test from 'ava';
import { BorderHistory, versionsKept } from '../../actors/patch/border-history.js';

test('the last borders of each reader are kept, what is sent again takes its place', (t) => {
  const history = new BorderHistory<string>(versionsKept(0));
  for (const version of [0, 1, 2, 3]) history.add({ to: 1, version, border: `b${version}` });
  history.add({ to: 1, version: 2, border: 'again' });
  history.add({ to: 2, version: 3, border: 'other' });
  t.deepEqual(
    history.since(1, 1).map(({ border }) => border),
    ['b1', 'again', 'b3'],
  );
  t.deepEqual(
    history.from(3).map(({ border }) => border),
    ['b3', 'other'],
  );
  t.is(history.get(1, 2)?.border, 'again');
  t.is(history.get(1, 4), undefined);
});

test('what is needed and forgotten is an E_VERSION_GONE, what is not sent yet is nothing', (t) => {
  const history = new BorderHistory<string>(versionsKept(0));
  t.deepEqual(history.since(1, 7), []);
  const kept = versionsKept(0);
  for (let version = 0; version <= kept; version++) history.add({ to: 1, version, border: '' });
  t.is(history.since(1, 1).length, kept);
  t.throws(() => history.since(1, 0), {
    code: 'E_VERSION_GONE',
    message: /from version 0, kept from 1/,
  });
});
