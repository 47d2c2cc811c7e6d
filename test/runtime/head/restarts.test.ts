import test from 'ava';
import type { ProcessId } from '../../../runtime/ids.js';
import { answer, driver, errorOf, HeadScript, refOf, starts } from '../../helpers/head-events.js';

const died = 'died of SIGKILL';

function oneNode(): HeadScript {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  return head;
}

test('an actor begins anew as often as it may, and then is dead', (t) => {
  const head = oneNode();
  const actor = head.living({ maxRestarts: 2 });
  for (let restart = 0; restart < 2; restart++) {
    t.deepEqual(
      starts(head.exited(actor, died)).map((start) => start.actor),
      [actor],
    );
    head.alive(actor);
  }
  t.deepEqual(starts(head.exited(actor, died)), []);
  t.is(head.state.actors.get(actor)?.state.phase, 'dead');
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('callers who ask hear where it is now, or that it is dead', (t) => {
  const head = oneNode();
  const actor = head.living({ maxRestarts: 1 });
  const early = head.verdict(actor);
  head.exited(actor, died);
  const ref = refOf(answer(head.alive(actor), early.id));
  t.is(ref?.actor, actor);
  const { id } = head.verdict(actor);
  t.is(errorOf(answer(head.exited(actor, died), id))?.code, 'E_ACTOR_DEAD');
});

test('an actor whose node is lost is restarted on another', (t) => {
  const head = oneNode();
  head.join('b', { cpu: 1 });
  const actor = head.living({ maxRestarts: -1 });
  const [start] = starts(head.left('agent-a', 'agent'));
  t.is(start?.actor, actor);
  head.alive(actor);
  t.deepEqual(head.free, { b: { cpu: 0 } });
});

test('neither a kill nor the end of its owner restarts an actor, nor does a constructor that fails', (t) => {
  const head = oneNode();
  const killed = head.living({ maxRestarts: -1 });
  head.kill(killed);
  t.deepEqual(starts(head.exited(killed, died)), []);
  const owned = head.living({ maxRestarts: -1 });
  head.left(driver, 'driver');
  t.deepEqual(starts(head.exited(owned, died)), []);
  const { effects } = head.create({ maxRestarts: -1 });
  const failed = head.exited(starts(effects)[0]!.actor, 'its constructor threw', 'E_ACTOR_START');
  t.deepEqual(starts(failed), []);
});

test('a detached actor outlives its owner, and is found by its name', (t) => {
  const head = oneNode();
  const actor = head.living({ name: 'service', detached: true });
  head.left(driver, 'driver');
  const { id, effects } = head.find('service');
  t.is(refOf(answer(effects, id))?.actor, actor);
});

test('getIfExists takes the living actor, and waits for one that starts', (t) => {
  const head = oneNode();
  const first = head.create({ name: 'c' });
  const second = head.create({ name: 'c', getIfExists: true, from: 'other' as ProcessId });
  t.deepEqual(starts(second.effects), []);
  const { actor } = starts(first.effects)[0]!;
  const up = head.alive(actor);
  t.is(refOf(answer(up, first.id))?.actor, actor);
  t.is(refOf(answer(up, second.id))?.actor, actor);
  const third = head.create({ name: 'c', getIfExists: true });
  t.is(refOf(answer(third.effects, third.id))?.actor, actor);
});
