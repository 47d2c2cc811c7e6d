import test from 'ava';
import type { ActorId, ProcessId } from '../../../runtime/ids.js';
import {
  agentOf,
  answer,
  driver,
  errorOf,
  groupOf,
  HeadScript,
  refOf,
  starts,
  stops,
} from '../../helpers/head-events.js';

const task = { exportName: '' };
const isStop = ({ send }: { send: { kind: string } }): boolean => send.kind === 'node.stop';

function oneNode(cpu = 2): HeadScript {
  const head = new HeadScript();
  head.join('a', { cpu });
  return head;
}

test('a node comes back with its actors: named ones are found, resources are counted as before', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 }, ['g0', 'g1']);
  const named = head.living({ name: 'c', resources: { cpu: 1, gpu: 0.5 } });
  const worker = head.living({ ...task, resources: { cpu: 1, gpu: 1 } });
  const before = head.free;
  head.crash();
  head.joined(driver);
  const found = head.find('c');
  t.is(refOf(answer(found.effects, found.id))?.actor, named);
  t.deepEqual(head.rejoin('a', [named, worker]), []);
  t.deepEqual(head.free, before);
  const [node] = head.state.nodes.values();
  t.deepEqual([...node!.gpuFree.values()].sort(), [0, 5_000]);
  head.exited(named);
  head.exited(worker);
  t.deepEqual(head.free, { a: { cpu: 4, gpu: 2 } });
  t.deepEqual([...node!.gpuFree.values()], [10_000, 10_000]);
});

test('a group stays reserved, and actors are placed in it once its node is back', (t) => {
  const head = oneNode();
  const { id, effects } = head.group([{ cpu: 2 }]);
  const group = groupOf(answer(effects, id));
  head.crash();
  head.joined(driver);
  const { effects: early } = head.create({ bundle: { group, index: 0 } });
  t.deepEqual(early, []);
  t.is(starts(head.rejoin('a')).length, 1);
  t.deepEqual(head.free, { a: { cpu: 0 } });
});

for (const removedBefore of [true, false]) {
  const when = removedBefore ? 'before its head died' : 'before its node was back';
  test(`a group that was removed ${when} keeps its GPU until the task that has it is dead`, (t) => {
    const head = new HeadScript();
    head.join('a', { cpu: 2 }, ['g0']);
    const { id, effects } = head.group([{ cpu: 1, gpu: 1 }]);
    const group = groupOf(answer(effects, id));
    const resources = { cpu: 1, gpu: 1 };
    const worker = head.living({ ...task, bundle: { group, index: 0 }, resources });
    if (removedBefore) head.removeGroup(group);
    head.crash();
    head.joined(driver);
    const removal = head.removeGroup(group);
    t.deepEqual(removal.effects, []);
    const next = head.create({ resources });
    const back = head.rejoin('a', [worker]);
    t.deepEqual([stops(back).map(({ actor }) => actor), starts(back)], [[worker], []]);
    const after = head.exited(worker);
    t.deepEqual(answer(after, removal.id), { value: null });
    t.is(starts(after).length, 1);
    t.is(refOf(answer(head.alive(starts(after)[0]!.actor), next.id))?.label, 'Counter');
  });
}

test('a removed group is gone when its node, which was away, is lost', (t) => {
  const head = new HeadScript({ rejoinTimeoutMs: 60_000 });
  head.join('a', { cpu: 1 });
  const { id, effects } = head.group([{ cpu: 1 }]);
  head.crash();
  head.joined(driver);
  const removal = head.removeGroup(groupOf(answer(effects, id)));
  t.deepEqual(removal.effects, []);
  t.deepEqual(answer(head.tick(60_000), removal.id), { value: null });
});

test('a creator that asks again gets the actor it asked for, once', (t) => {
  const head = oneNode();
  const first = head.create({ name: 'c' });
  const { actor } = starts(first.effects)[0]!;
  const request = head.lastRequest!;
  head.crash();
  head.joined(driver);
  t.deepEqual(head.again(driver, request).effects, []);
  t.deepEqual(head.again(driver, request).effects, []);
  head.rejoin('a', [], { starting: [actor] });
  const up = head.alive(actor);
  t.is(up.length, 1);
  t.is(refOf(answer(up, first.id))?.actor, actor);
  // Also after the answer, and by the same name.
  t.is(refOf(answer(head.again(driver, request).effects, first.id))?.actor, actor);
  t.is(head.state.actors.size, 1);
});

test('a creator that asks again hears how its actor died', (t) => {
  const head = oneNode();
  const { id, effects } = head.create();
  const request = head.lastRequest!;
  head.exited(starts(effects)[0]!.actor, 'its constructor threw', 'E_ACTOR_START');
  head.crash();
  t.is(errorOf(answer(head.again(driver, request).effects, id))?.code, 'E_ACTOR_START');
});

test('a group is not made twice', (t) => {
  const head = oneNode();
  const { id, effects } = head.group([{ cpu: 1 }]);
  const request = head.lastRequest!;
  head.crash();
  const again = head.again(driver, request);
  t.is(groupOf(answer(again.effects, id)), groupOf(answer(effects, id)));
  t.is(head.state.groups.size, 1);
});

test('an agent that missed the order to start gets it again', (t) => {
  const head = oneNode();
  const { actor } = starts(head.create().effects)[0]!;
  head.crash();
  t.deepEqual(
    starts(head.rejoin('a')).map((start) => start.actor),
    [actor],
  );
});

test('one that was to end is told again, and its end is answered', (t) => {
  const head = oneNode();
  const actor = head.living();
  const { id } = head.kill(actor);
  head.crash();
  head.again(driver, { kind: 'actor.kill', id, actor });
  t.is(stops(head.rejoin('a', [actor])).length, 1);
  t.deepEqual(answer(head.exited(actor), id), { value: null });
  t.deepEqual(head.free, { a: { cpu: 2 } });
});

test('exits meanwhile are told after the rejoin: the actor restarts, or callers hear the cause', (t) => {
  const head = oneNode();
  const mortal = head.living();
  const restarting = head.living({ maxRestarts: 1 });
  head.crash();
  const { id } = head.verdict(mortal);
  const effects = head.rejoin('a', [], { exits: [mortal, restarting] });
  t.regex(errorOf(answer(effects, id))!.message, /SIGKILL/);
  t.deepEqual(
    starts(effects).map((start) => [start.actor, start.restarts]),
    [[restarting, 1]],
  );
});

test('an exit that the head knew of does not end the actor that has begun anew', (t) => {
  const head = oneNode();
  const actor = head.living({ maxRestarts: 3 });
  const [begun] = starts(head.exited(actor, 'died'));
  t.is(begun?.restarts, 1);
  head.crash();
  // The agent never heard of the new start; it remembers how the old one ended.
  const old = { actor, restarts: 0, cause: { name: 'Error', message: 'died' } };
  const effects = head.message(agentOf('a'), {
    kind: 'node.rejoin',
    node: 'a' as never,
    actors: [],
    exits: [old],
    jobs: [],
    jobExits: [],
  });
  t.deepEqual(
    starts(effects).map(({ restarts }) => restarts),
    [1],
  );
});

test('an actor that neither lives nor is told to have ended has ended', (t) => {
  const head = oneNode();
  const actor = head.living();
  head.crash();
  head.rejoin('a');
  t.is(head.phase(actor), 'dead');
  t.deepEqual(head.free, { a: { cpu: 2 } });
});

test('a node that is not back in time is lost, and one that comes later is sent off', (t) => {
  const head = new HeadScript({ rejoinTimeoutMs: 60_000 });
  head.join('a', { cpu: 1 });
  head.join('b', { cpu: 1 });
  const [moves, dies] = [head.living({ maxRestarts: 1 }), head.living()];
  head.crash();
  head.joined(driver);
  for (let at = 1_000; at < 60_000; at += 1_000) {
    head.beat('b');
    t.deepEqual(head.tick(at), []);
    if (at === 2_000) head.rejoin('b', [dies]);
  }
  head.exited(dies);
  t.deepEqual(
    starts(head.tick(60_000)).map((start) => start.actor),
    [moves],
  );
  t.true(head.rejoin('a', [moves]).some(isStop));
  t.deepEqual(Object.keys(head.free), ['b']);
});

test('what waits is not refused because its node is not back yet', (t) => {
  const head = oneNode(4);
  head.crash();
  head.joined(driver);
  t.deepEqual(head.create({ resources: { cpu: 2 } }).effects, []);
  t.is(errorOf(answer(...refusedBy(head, 5)))?.code, 'E_NO_ROOM');
  t.deepEqual(head.group([{ cpu: 2 }]).effects, []);
  t.is(starts(head.rejoin('a')).length, 1);
});

function refusedBy(head: HeadScript, cpu: number): Parameters<typeof answer> {
  const { id, effects } = head.create({ resources: { cpu } });
  return [effects, id];
}

test('an owner that is not back within its grace has left; detached actors stay', (t) => {
  const head = new HeadScript({ ownerGraceMs: 10_000 });
  head.join('a', { cpu: 4 });
  const other = 'other' as ProcessId;
  const mine = head.living();
  const theirs = head.living({ from: other });
  const detached = head.living({ from: other, detached: true, name: 'd' });
  head.group([{ cpu: 1 }], 'pack', other);
  head.crash();
  head.joined(driver);
  head.rejoin('a', [mine, theirs, detached]);
  t.deepEqual(head.tick(9_999), []);
  const late = head.tick(10_000);
  t.deepEqual(
    stops(late).map((stop) => stop.actor),
    [theirs],
  );
  t.is(head.state.groups.size, 0);
  head.exited(theirs);
  head.joined(other);
  const { id, effects } = head.verdict(theirs);
  t.regex(errorOf(answer(effects, id))!.message, /its owner|was stopped/);
  t.deepEqual([head.phase(mine), head.phase(detached)], ['alive', 'alive']);
});

test('a task worker whose owner has left meanwhile is ended when its node comes back', (t) => {
  const head = oneNode();
  const worker = head.living(task);
  head.crash();
  head.tick(10_000);
  const effects = head.rejoin('a', [worker]);
  t.deepEqual(
    stops(effects).map((stop) => stop.actor),
    [worker],
  );
  t.deepEqual(head.free, { a: { cpu: 1 } });
  head.exited(worker);
  t.deepEqual(head.free, { a: { cpu: 2 } });
});

test('a task worker that was asked for again while its node was away is not kept beside the new one', (t) => {
  const head = oneNode(1);
  const first = head.create(task);
  const { actor } = starts(first.effects)[0]!;
  const request = head.lastRequest!;
  head.crash();
  head.joined(driver);
  t.deepEqual(head.again(driver, request).effects, []);
  t.is(stops(head.rejoin('a', [actor])).length, 1);
  const begun = starts(head.exited(actor));
  t.is(begun.length, 1);
  t.is(refOf(answer(head.alive(begun[0]!.actor), first.id))?.actor, begun[0]!.actor);
});

test('what was asked about a task worker before its node came back is done then', (t) => {
  const head = oneNode(3);
  const [killed, lends, kept] = [head.living(task), head.living(task), head.living(task)];
  head.exited(kept);
  const { id: cancelled, effects } = head.create(task);
  const unwanted = starts(effects)[0]!.actor;
  head.crash();
  head.joined(driver);
  const kill = head.kill(killed);
  t.deepEqual(kill.effects, []);
  head.message(`host-${lends}` as ProcessId, {
    kind: 'actor.waiting',
    actor: lends,
    waiting: true,
  });
  t.deepEqual(head.cancel(cancelled), []);
  const back = head.rejoin('a', [killed, lends], { starting: [unwanted] });
  t.deepEqual(new Set(stops(back).map((stop) => stop.actor)), new Set([killed, unwanted]));
  t.deepEqual(head.free, { a: { cpu: 1 } });
  t.deepEqual(answer(head.exited(killed), kill.id), { value: null });
});

test('what is asked about an actor that nobody knows is answered when all nodes are back or lost', (t) => {
  const head = oneNode();
  head.crash();
  head.joined(driver);
  const kill = head.kill('nobody' as ActorId);
  const verdict = head.verdict('nobody');
  t.deepEqual([kill.effects, verdict.effects], [[], []]);
  const back = head.rejoin('a');
  t.deepEqual(answer(back, kill.id), { value: null });
  t.is(errorOf(answer(back, verdict.id))?.code, 'E_ACTOR_DEAD');
});

test('a node whose first join was not answered asks again and is taken', (t) => {
  const head = oneNode();
  const { actor } = starts(head.create().effects)[0]!;
  head.crash();
  const effects = head.join('a', { cpu: 2 });
  t.deepEqual(
    starts(effects).map((start) => start.actor),
    [actor],
  );
  t.is(head.state.nodes.size, 1);
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('what waits goes on in the order of before', (t) => {
  const head = oneNode(1);
  const busy = head.living();
  const waiting = [1, 2, 3].map((at) => {
    head.at = at;
    return head.create({ name: `n${at}` });
  });
  t.is(waiting.length, 3);
  head.crash();
  head.joined(driver);
  const names: unknown[] = [];
  let last = busy;
  head.rejoin('a', [busy]);
  for (let turn = 0; turn < 3; turn++) {
    const [begun] = starts(head.exited(last));
    names.push(begun?.spec.name);
    last = begun!.actor;
  }
  t.deepEqual(names, ['n1', 'n2', 'n3']);
});

test('a node that is started anew by the name of one that is away takes its place', (t) => {
  const head = oneNode();
  const actor = head.living({ maxRestarts: 1 });
  head.crash();
  head.joined(driver);
  const effects = head.join('a', { cpu: 2 }, [], {}, 'anew');
  t.deepEqual(
    starts(effects).map((start) => start.actor),
    [actor],
  );
  t.true(head.rejoin('a', [actor]).some(isStop));
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('an actor that is restarted after the head was goes on from its snapshot', (t) => {
  const head = oneNode();
  const actor = head.living({ maxRestarts: 1 });
  const agent = agentOf('a');
  head.message(agent, { kind: 'actor.snapshot', actor, state: Uint8Array.of(1) });
  head.message(agent, { kind: 'actor.snapshot', actor, state: Uint8Array.of(2) });
  // Of an earlier life, from a node that did not know whether a head had it.
  head.message(agentOf('b'), { kind: 'actor.snapshot', actor, state: Uint8Array.of(3) });
  head.crash();
  const [begun] = starts(head.rejoin('a', [], { exits: [actor] }));
  t.deepEqual(begun?.snapshot, Uint8Array.of(2));
});

test('a snapshot that was taken meanwhile is told before the rejoin, also of one that was being started', (t) => {
  const head = oneNode();
  const options = { maxRestarts: 1 };
  const [old, young] = [head.living(options), starts(head.create(options).effects)[0]!.actor];
  head.crash();
  head.joined(agentOf('a'));
  for (const actor of [old, young]) {
    head.message(agentOf('a'), { kind: 'actor.snapshot', actor, state: Uint8Array.of(7) });
  }
  const begun = starts(head.rejoin('a', [], { exits: [old, young] }));
  t.deepEqual(
    begun.map(({ snapshot }) => [...snapshot]),
    [[7], [7]],
  );
});
