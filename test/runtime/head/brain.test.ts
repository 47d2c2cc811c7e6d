import test from 'ava';
import type { ActorId, NodeId, ProcessId } from '../../../runtime/ids.js';
import {
  agentOf,
  answer,
  driver,
  errorOf,
  HeadScript,
  refOf,
  refusalOf,
  starts,
  stops,
} from '../../helpers/head-events.js';

test('an actor is placed on the emptiest node, started there and told to its creator', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 2 });
  head.join('b', { cpu: 2 });
  head.living();
  const { id, effects } = head.create({ name: 'c' });
  t.deepEqual(
    effects.map(({ to, send }) => [to, send.kind]),
    [[agentOf('b'), 'actor.start']],
  );
  const { actor, label } = starts(effects)[0]!;
  t.is(label, 'Counter "c"');
  t.like(refOf(answer(head.alive(actor), id)), { actor, node: 'b', label });
  t.deepEqual(head.free, { a: { cpu: 1 }, b: { cpu: 1 } });
});

test('what no node can ever hold is refused at once, with the nearest misses', (t) => {
  const head = new HeadScript();
  const nobody = head.create();
  t.regex(errorOf(answer(nobody.effects, nobody.id))?.message ?? '', /no node yet/);
  head.join('a', { cpu: 2 });
  head.join('b', { cpu: 4, ram: 1 });
  head.living({ resources: { cpu: 4 } });
  const { id, effects } = head.create({ resources: { cpu: 6, ram: 2 } });
  t.like(errorOf(answer(effects, id)), {
    code: 'E_NO_ROOM',
    message:
      'no node can hold Counter: node a: needs 6 cpu, has 2, needs 2 ram, has 0; ' +
      'node b: needs 6 cpu, has 4, needs 2 ram, has 1',
  });
});

test('an unknown node and a node too small are refused although others would do', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  head.join('b', { cpu: 4 });
  const unknown = head.create({ schedulingStrategy: { node: 'z' } });
  t.is(errorOf(answer(unknown.effects, unknown.id))?.code, 'E_NO_ROOM');
  const small = head.create({ schedulingStrategy: { node: 'a' }, resources: { cpu: 2 } });
  t.is(errorOf(answer(small.effects, small.id))?.code, 'E_NO_ROOM');
  t.is(starts(head.create({ schedulingStrategy: { node: 'b' } }).effects).length, 1);
});

test('what must be near something starts there at once or is refused', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 });
  head.join('b', { cpu: 1 });
  const near = (node: string) => head.create({ exportName: '', near: node as NodeId });
  const first = near('b');
  t.is(first.effects[0]!.to, agentOf('b'));
  t.is(starts(first.effects).length, 1);
  const second = near('b');
  t.like(errorOf(answer(second.effects, second.id)), {
    code: 'E_NO_ROOM',
    message: 'no room for task worker now: node b: needs 1 cpu, has 0',
  });
  const unknown = near('z');
  t.like(errorOf(answer(unknown.effects, unknown.id)), { code: 'E_NO_ROOM' });
  head.crash();
  const away = near('a');
  t.like(errorOf(answer(away.effects, away.id)), { code: 'E_NO_ROOM' });
});

test('what is in use is waited for, first come first served, and every waiter explains itself', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 2 });
  const big = head.living({ resources: { cpu: 2 } });
  const [first, second] = [head.create(), head.create()];
  t.deepEqual([first.effects, second.effects], [[], []]);
  t.deepEqual(
    [...head.state.actors.values()].map(({ state }) => state.phase),
    ['alive', 'pending', 'pending'],
  );
  const freed = head.exited(big);
  t.deepEqual(
    starts(freed).map(({ actor }) => head.state.actors.get(actor)?.creator.id),
    [first.id, second.id],
  );
});

test('a name belongs to one living actor, from its creation to its death', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 });
  const first = head.create({ name: 'c' });
  const { actor } = starts(first.effects)[0]!;
  const twin = head.create({ name: 'c' });
  t.is(errorOf(answer(twin.effects, twin.id))?.code, 'E_NAME_TAKEN');
  const early = head.find('c');
  t.is(errorOf(answer(early.effects, early.id))?.code, 'E_NAME_UNKNOWN');
  head.alive(actor);
  const found = head.find('c');
  t.is(refOf(answer(found.effects, found.id))?.actor, actor);
  head.exited(actor);
  const late = head.find('c');
  t.is(errorOf(answer(late.effects, late.id))?.code, 'E_NAME_UNKNOWN');
  t.is(starts(head.create({ name: 'c' }).effects).length, 1);
});

test('a kill is answered when the actor is dead, whoever asks and however often', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const actor = head.living();
  const [one, two] = [head.kill(actor), head.kill(actor)];
  t.is(answer(one.effects, one.id), undefined);
  t.deepEqual(stops(one.effects), [{ kind: 'actor.stop', actor }]);
  const dead = head.exited(actor);
  t.deepEqual([answer(dead, one.id), answer(dead, two.id)], [{ value: null }, { value: null }]);
  const again = head.kill(actor);
  t.deepEqual(answer(again.effects, again.id), { value: null });
  const unknown = head.kill('who' as ActorId);
  t.deepEqual(answer(unknown.effects, unknown.id), { value: null });
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('a constructor’s error reaches the creator, and its resources return', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 });
  const { id, effects } = head.create();
  const { actor } = starts(effects)[0]!;
  const cause = { name: 'RuntimeError', code: 'E_ACTOR_START', message: 'no' };
  const dead = head.message(agentOf('a'), { kind: 'actor.exited', actor, cause });
  t.deepEqual(errorOf(answer(dead, id)), cause);
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('a verdict waits for the death and is remembered for late callers', (t) => {
  const head = new HeadScript({ maxGraves: 2 });
  head.join('a', { cpu: 4 });
  const actor = head.living();
  const early = head.verdict(actor);
  t.deepEqual(early.effects, []);
  const dead = head.exited(actor, 'died of SIGKILL');
  t.is(errorOf(answer(dead, early.id))?.message, 'died of SIGKILL');
  const late = head.verdict(actor);
  t.is(errorOf(answer(late.effects, late.id))?.message, 'died of SIGKILL');
  head.exited(head.living());
  head.exited(head.living());
  const forgotten = head.verdict(actor);
  t.regex(refusalOf(forgotten) ?? '', /^E_ACTOR_DEAD: .*not known \(any more\)/);
  t.is(head.state.actors.size, 2);
});

test('what a driver created ends when it leaves, and nothing of another driver', (t) => {
  const head = new HeadScript();
  const other = 'other' as ProcessId;
  head.join('a', { cpu: 3 });
  const mine = head.living();
  const theirs = head.living({ from: other });
  const pending = head.create({ resources: { cpu: 2 } });
  t.deepEqual(pending.effects, []);
  const effects = head.left(driver, 'driver');
  t.deepEqual(
    stops(effects).map(({ actor }) => actor),
    [mine],
  );
  t.is(errorOf(answer(effects, pending.id))?.code, 'E_ACTOR_DEAD');
  head.exited(mine);
  t.is(head.phase(theirs), 'alive');
  t.deepEqual(head.free, { a: { cpu: 2 } });
});

test('a request that is not for the head is refused by name', (t) => {
  const head = new HeadScript();
  const effects = head.message(driver, { kind: 'host.stop', id: 3 });
  t.regex(refusalOf({ id: 3, effects }) ?? '', /^E_PROTOCOL: .*host\.stop/);
});

test('the status tells nodes, actors and what they wait for', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 1 }, ['gpu-0']);
  head.living({ name: 'c' });
  head.create();
  head.at = 3_000;
  const effects = head.message(driver, { kind: 'status', id: 9 });
  t.like((answer(effects, 9) as { value: unknown }).value, {
    nodes: [{ name: 'a', total: { cpu: 1, gpu: 1 }, free: { cpu: 0, gpu: 1 } }],
    actors: [
      { label: 'Counter "c"', phase: 'alive', node: 'a', resources: { cpu: 1 } },
      { phase: 'pending', note: 'waits for 3 s: node a: needs 1 cpu, has 0' },
    ],
    groups: [],
  });
});

test('labels choose the node, and a misfit says what the label is', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 }, [], { zone: 'east', gpu: 'T4' });
  head.join('b', { cpu: 1 }, [], { zone: 'west' });
  const west = head.create({ labelSelector: { zone: 'west', gpu: '!T4' } });
  t.is(starts(west.effects).length, 1);
  t.deepEqual(head.free, { a: { cpu: 4 }, b: { cpu: 0 } });
  const busy = head.create({ labelSelector: { zone: 'in(west, north)' } });
  t.is(answer(busy.effects, busy.id), undefined, 'b has the label, but no processor free');
  t.is(
    refusalOf(head.create({ labelSelector: { zone: 'south' } })),
    'E_NO_ROOM: no node can hold Counter: node a: label zone is east, wanted south; ' +
      'node b: label zone is west, wanted south',
  );
});

test('a group reserves its bundles on nodes with the labels only', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 }, [], { disk: 'ssd' });
  head.join('b', { cpu: 4 }, [], {});
  const asked = head.group([{ cpu: 1 }, { cpu: 1 }], 'pack', driver, { disk: 'ssd' });
  t.truthy(answer(asked.effects, asked.id));
  t.deepEqual(head.free, { a: { cpu: 2 }, b: { cpu: 4 } });
  const never = head.group([{ cpu: 1 }, { cpu: 1 }], 'strict-spread', driver, { disk: 'ssd' });
  t.regex(refusalOf(never) ?? '', /node b: label disk is not set, wanted ssd/);
});

test('a name is taken within its namespace only', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 });
  const here = head.living({ name: 'c', namespace: 'mine' });
  const there = head.living({ name: 'c' });
  const mine = head.find('c', 'mine');
  t.like(refOf(answer(mine.effects, mine.id)), { actor: here });
  const others = head.find('c');
  t.like(refOf(answer(others.effects, others.id)), { actor: there });
  t.regex(refusalOf(head.create({ name: 'c', namespace: 'mine' })) ?? '', /E_NAME_TAKEN/);
  t.is(
    refusalOf(head.find('c', 'yours')),
    'E_NAME_UNKNOWN: no living actor named c in namespace yours',
  );
});
