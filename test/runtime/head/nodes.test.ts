import test from 'ava';
import type { NodeId } from '../../../runtime/ids.js';
import { agentOf, answer, errorOf, HeadScript, starts } from '../../helpers/head-events.js';

test('a second node of the same name is turned away', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const effects = head.join('a', { cpu: 9 }, [], {}, 'another');
  t.like(effects[0]?.send, { kind: 'error', error: { code: 'E_NAME_TAKEN' } });
  t.is(head.state.nodes.size, 1);
});

test('a node that joins takes what waits', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  head.living();
  t.is(starts(head.create().effects).length, 0);
  t.deepEqual(
    starts(head.join('b', { cpu: 1 })).map(({ spec }) => spec.exportName),
    ['Counter'],
  );
});

test('a host that leaves ends nothing: its agent tells', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const actor = head.living();
  t.deepEqual(head.left(`host-${actor}`, 'host'), []);
  t.is(head.phase(actor), 'alive');
});

test('a lost node takes its actors along, and tells whoever waits for them', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  head.join('b', { cpu: 1 });
  const [onA, onB] = [head.living(), head.living()];
  const verdict = head.verdict(onA);
  const kill = head.kill(onA);
  const effects = head.left(agentOf('a'), 'agent', 'socket closed');
  t.like(errorOf(answer(effects, verdict.id)), {
    code: 'E_ACTOR_DEAD',
    message: 'Counter: its node a was lost (socket closed)',
  });
  t.deepEqual(answer(effects, kill.id), { value: null });
  t.deepEqual([head.phase(onA), head.phase(onB)], ['dead', 'alive']);
  t.deepEqual(head.free, { b: { cpu: 0 } });
});

test('what waited for a lost node is refused if no other can hold it', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 8 });
  head.join('b', { cpu: 1 });
  head.living({ resources: { cpu: 8 } });
  const { id, effects } = head.create({ resources: { cpu: 8 } });
  t.deepEqual(effects, []);
  const lost = head.left(agentOf('a'), 'agent');
  t.is(errorOf(answer(lost, id))?.code, 'E_NO_ROOM');
});

test('a node whose beats stay away is sent off and lost; one that beats is not', (t) => {
  const head = new HeadScript({ nodeTimeoutMs: 10_000 });
  head.join('a', { cpu: 1 });
  head.join('b', { cpu: 1 });
  const onA = head.living();
  for (let at = 1_000; at <= 10_000; at += 1_000) {
    t.deepEqual(head.tick(at), []);
    head.beat('b');
  }
  const effects = head.tick(10_001);
  t.deepEqual(effects[0], {
    to: agentOf('a'),
    send: { kind: 'node.stop', why: 'declared dead: no beat' },
  });
  t.is(head.phase(onA), 'dead');
  t.deepEqual([...head.state.nodes.keys()], ['b' as NodeId]);
  // What the lost node says later changes nothing.
  head.beat('a');
  t.deepEqual(head.exited(onA), []);
  t.deepEqual(head.left(agentOf('a'), 'agent'), []);
});

test('a head that slept itself gives its nodes time to be heard', (t) => {
  const head = new HeadScript({ nodeTimeoutMs: 10_000 });
  head.join('a', { cpu: 1 });
  head.tick(1_000);
  t.deepEqual(head.tick(60_000), []);
  for (let at = 61_000; at <= 70_000; at += 1_000) t.deepEqual(head.tick(at), []);
  t.is(head.tick(71_000).length, 1);
});
