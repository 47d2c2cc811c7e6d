import test from 'ava';
import type { ProcessId } from '../../../runtime/ids.js';
import { answer, errorOf, HeadScript, refOf, starts, stops } from '../../helpers/head-events.js';

test('a creator that gives up while it waits leaves nothing behind', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const busy = head.living();
  const { id } = head.create({ name: 'c' });
  t.is(errorOf(answer(head.cancel(id), id))?.code, 'E_ABORTED');
  t.deepEqual(starts(head.exited(busy)), []);
  t.is(starts(head.create({ name: 'c' }).effects).length, 1);
});

test('a creator that gives up while its actor starts ends the actor', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const { id, effects } = head.create();
  const { actor } = starts(effects)[0]!;
  t.deepEqual(
    stops(head.cancel(id)).map((stop) => stop.actor),
    [actor],
  );
  head.exited(actor);
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('a creator that gave up just before its answer came has no actor either', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const { id, effects } = head.create();
  const { actor } = starts(effects)[0]!;
  t.truthy(refOf(answer(head.alive(actor), id)));
  t.deepEqual(
    stops(head.cancel(id)).map((stop) => stop.actor),
    [actor],
  );
});

test('a cancel of one process does not touch the requests of another', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const { id } = head.create();
  t.deepEqual(head.cancel(id, 'other' as ProcessId), []);
});
