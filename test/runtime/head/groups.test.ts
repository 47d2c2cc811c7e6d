import test from 'ava';
import type { GroupId, ProcessId } from '../../../runtime/ids.js';
import {
  agentOf,
  answer,
  driver,
  errorOf,
  groupOf,
  HeadScript,
  refusalOf,
  starts,
  stops,
} from '../../helpers/head-events.js';

/** A group that has its resources. */
function reserved(head: HeadScript, ...args: Parameters<HeadScript['group']>): GroupId {
  const { id, effects } = head.group(...args);
  return groupOf(answer(effects, id));
}

const one = { cpu: 1 };

test('pack fills one node, spread takes many, both take what there is', (t) => {
  for (const [strategy, free] of [
    ['pack', { a: { cpu: 1 }, b: { cpu: 4 } }],
    ['spread', { a: { cpu: 2 }, b: { cpu: 3 } }],
  ] as const) {
    const head = new HeadScript();
    head.join('a', { cpu: 4 });
    head.join('b', { cpu: 4 });
    reserved(head, [one, one, one], strategy);
    t.deepEqual(head.free, free);
  }
});

test('strict-pack insists on one node, strict-spread on as many as bundles', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 2 });
  head.join('b', { cpu: 3 });
  reserved(head, [one, one, one], 'strict-pack');
  t.deepEqual(head.free, { a: { cpu: 2 }, b: { cpu: 0 } });
  const wide = head.group([one, one, one], 'strict-spread');
  t.regex(refusalOf(wide) ?? '', /^E_NO_ROOM: .*3 bundles \(strict-spread\)/);
  const tall = head.group([{ cpu: 2 }, { cpu: 2 }], 'strict-pack');
  t.is(errorOf(answer(tall.effects, tall.id))?.code, 'E_NO_ROOM');
  t.deepEqual(head.free, { a: { cpu: 2 }, b: { cpu: 0 } });
});

for (const strategy of ['pack', 'spread', 'strict-pack', 'strict-spread'] as const) {
  test(`${strategy}: all bundles or none, and the group waits for what is in use`, (t) => {
    const head = new HeadScript();
    head.join('a', { cpu: 2 });
    head.join('b', { cpu: 2 });
    const busy = [head.living({ resources: { cpu: 2 } }), head.living({ resources: { cpu: 2 } })];
    const { id, effects } = head.group([one, one], strategy);
    t.deepEqual(effects, []);
    t.deepEqual(head.free, { a: { cpu: 0 }, b: { cpu: 0 } });
    const half = head.exited(busy[0]!);
    const enough = strategy !== 'strict-spread';
    t.is(answer(half, id) !== undefined, enough);
    t.deepEqual(head.free['a'], { cpu: enough ? 0 : 2 });
    if (!enough) t.truthy(answer(head.exited(busy[1]!), id));
  });

  test(`${strategy}: a split that needs another order of nodes is found`, (t) => {
    const head = new HeadScript();
    head.join('a', { cpu: 2, ram: 1 });
    head.join('b', { cpu: 1 });
    const { id, effects } = head.group([{ cpu: 1 }, { cpu: 2, ram: 1 }], strategy);
    if (strategy === 'strict-pack') t.is(errorOf(answer(effects, id))?.code, 'E_NO_ROOM');
    else t.deepEqual(head.free, { a: { cpu: 0, ram: 0 }, b: { cpu: 0 } });
  });
}

test('a group larger than the whole cluster is refused at once, however many its bundles', (t) => {
  const head = new HeadScript();
  for (let n = 0; n < 16; n++) head.join(`n${n}`, { cpu: 3 });
  const { id, effects } = head.group(
    Array.from({ length: 25 }, () => ({ cpu: 2 })),
    'pack',
  );
  t.is(errorOf(answer(effects, id))?.code, 'E_NO_ROOM');
});

for (const strategy of ['pack', 'strict-pack'] as const) {
  test(`${strategy}: shares of GPUs that might fit in another order are not refused for ever`, (t) => {
    const head = new HeadScript();
    head.join('a', {}, ['g0', 'g1']);
    const shares = [0.44, 0.28, 0.28, 0.36, 0.32, 0.32].map((gpu) => ({ gpu }));
    t.deepEqual(head.group(shares, strategy).effects, []);
    t.regex(refusalOf(head.group([{ gpu: 3 }, { gpu: 0.5 }], strategy)) ?? '', /^E_NO_ROOM/);
  });
}

test('actors live in the bundle they name, and on its node', (t) => {
  const head = new HeadScript();
  head.join('a', one);
  head.join('b', one);
  const group = reserved(head, [one, one], 'spread');
  const [first, second] = [0, 1].map((index) =>
    head.create({ bundle: { group, index } }).effects.map(({ to }) => to),
  );
  t.deepEqual([first, second], [[agentOf('a')], [agentOf('b')]]);
  t.deepEqual(head.free, { a: { cpu: 0 }, b: { cpu: 0 } });
});

test('what is larger than its bundle is refused; what finds it in use waits', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 4 });
  const group = reserved(head, [{ cpu: 1 }]);
  const bundle = { group, index: 0 };
  const large = head.create({ bundle, resources: { cpu: 2 } });
  t.regex(refusalOf(large) ?? '', /^E_NO_ROOM: .*needs 2 cpu, has 1$/);
  const first = head.living({ bundle });
  const waiting = head.create({ bundle });
  t.deepEqual(waiting.effects, []);
  t.is(starts(head.exited(first)).length, 1);
});

test('a bundle that is not there, or of no group, is refused', (t) => {
  const head = new HeadScript();
  head.join('a', one);
  const group = reserved(head, [one]);
  for (const bundle of [
    { group, index: 1 },
    { group: 'none' as GroupId, index: 0 },
  ]) {
    const { id, effects } = head.create({ bundle });
    t.is(errorOf(answer(effects, id))?.code, 'E_NO_ROOM');
  }
});

test('a removed group keeps its resources until its last actor is dead', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 2 });
  const group = reserved(head, [one, one]);
  const actors = [0, 1].map((index) => head.living({ bundle: { group, index } }));
  const waiting = head.create({ resources: { cpu: 2 } });
  const { id, effects } = head.removeGroup(group);
  t.deepEqual(
    stops(effects).map(({ actor }) => actor),
    actors,
  );
  const first = head.exited(actors[0]!);
  t.deepEqual([starts(first), answer(first, id)], [[], undefined]);
  t.deepEqual(head.free, { a: { cpu: 0 } });
  const last = head.exited(actors[1]!);
  t.is(starts(last).length, 1);
  t.deepEqual(answer(last, id), { value: null });
  t.is(answer(waiting.effects, waiting.id), undefined);
  t.is(head.state.groups.size, 0);
});

test('a group on its way out takes no new actors', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 2 });
  const group = reserved(head, [one, one]);
  head.living({ bundle: { group, index: 0 } });
  head.removeGroup(group);
  const { id, effects } = head.create({ bundle: { group, index: 1 } });
  t.is(errorOf(answer(effects, id))?.code, 'E_NO_ROOM');
});

test('an actor for a bundle whose node was lost is refused, and the head lives on', (t) => {
  const head = new HeadScript();
  head.join('a', one);
  head.join('b', one);
  const group = reserved(head, [one, one], 'spread');
  const lost = head.living({ bundle: { group, index: 0 } });
  head.left(agentOf('a'), 'agent');
  t.is(head.phase(lost), 'dead');
  const late = head.create({ bundle: { group, index: 0 } });
  t.regex(refusalOf(late) ?? '', /^E_NO_ROOM: .*its node was lost/);
  t.is(starts(head.create({ bundle: { group, index: 1 } }).effects).length, 1);
});

test('a lost node’s share of a group is gone, the rest returns with the group', (t) => {
  const head = new HeadScript();
  head.join('a', one);
  head.join('b', one);
  const group = reserved(head, [one, one], 'spread');
  head.left(agentOf('a'), 'agent');
  head.removeGroup(group);
  t.deepEqual(head.free, { b: { cpu: 1 } });
});

test('a creator that gives up its group leaves nothing behind, before and after', (t) => {
  const head = new HeadScript();
  head.join('a', one);
  const busy = head.living();
  const waiting = head.group([one]);
  head.cancel(waiting.id);
  t.is(head.state.groups.size, 0);
  t.deepEqual(head.exited(busy), []);
  const late = head.group([one]);
  t.truthy(answer(late.effects, late.id));
  head.cancel(late.id);
  t.deepEqual(head.free, { a: { cpu: 1 } });
});

test('a driver’s groups go with it', (t) => {
  const head = new HeadScript();
  head.join('a', { cpu: 2 });
  const group = reserved(head, [one, one]);
  const actor = head.living({ bundle: { group, index: 0 }, from: 'other' as ProcessId });
  t.deepEqual(
    stops(head.left(driver, 'driver')).map((stop) => stop.actor),
    [actor],
  );
  head.exited(actor);
  t.deepEqual(head.free, { a: { cpu: 2 } });
});
