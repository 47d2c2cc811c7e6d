import test from 'ava';
import { placeOne } from '../../../runtime/head/place.js';
import { placeGroup } from '../../../runtime/head/place-group.js';
import { claim, misfit, release, takeGpus } from '../../../runtime/head/room.js';
import type { NodeRecord } from '../../../runtime/head/state.js';
import type { NodeId, ProcessId } from '../../../runtime/ids.js';
import { type Resources, toQuantities } from '../../../runtime/resources.js';
import type { SchedulingStrategy } from '../../../runtime/wire/actor-spec.js';
import { gpuNamed } from '../../helpers/head-events.js';

function node(name: string, resources: Resources, gpus: readonly string[] = []): NodeRecord {
  const total = toQuantities({ ...resources, ...(gpus.length > 0 ? { gpu: gpus.length } : {}) });
  return {
    id: name as NodeId,
    name,
    agent: `agent-${name}` as ProcessId,
    total,
    free: total,
    gpus: gpus.map(gpuNamed),
    gpuFree: new Map(gpus.map((uuid) => [uuid, 10_000])),
    claims: 0,
    labels: {},
    beatAt: 0,
    lagMs: 0,
    awayUntil: undefined,
  };
}

const need = (resources: Resources) => toQuantities(resources);
const room = (shares: Readonly<Record<string, number>>) => ({
  free: need({ gpu: Object.values(shares).reduce((a, b) => a + b, 0) }),
  gpuFree: new Map(Object.entries(shares).map(([uuid, share]) => [uuid, share * 10_000])),
});

test('a share of a GPU comes from the fullest one that has it', (t) => {
  const gpus = room({ a: 1, b: 0.5, c: 0.25 });
  t.deepEqual(takeGpus(gpus, 2_500), new Map([['c', 2_500]]));
  t.deepEqual(takeGpus(gpus, 3_000), new Map([['b', 3_000]]));
  t.deepEqual(takeGpus(gpus, 6_000), new Map([['a', 6_000]]));
});

test('whole GPUs are whole: shares of several do not add up to one', (t) => {
  t.is(takeGpus(room({ a: 0.5, b: 0.5 }), 10_000), undefined);
  t.deepEqual(
    takeGpus(room({ a: 1, b: 0.5, c: 1 }), 20_000),
    new Map([
      ['a', 10_000],
      ['c', 10_000],
    ]),
  );
  t.is(takeGpus(room({ a: 1, b: 0.5 }), 20_000), undefined);
});

test('reasons say what is wrong: the sum, the shares or the fraction above one', (t) => {
  t.deepEqual(misfit(need({ gpu: 2 }), room({ a: 1 })), ['needs 2 gpu, has 1']);
  t.deepEqual(misfit(need({ gpu: 1 }), room({ a: 0.5, b: 0.5 })), ['no single GPU has 1 free']);
  t.deepEqual(misfit(need({ gpu: 1.5 }), room({ a: 1, b: 1 })), [
    '1.5 gpu: above one, only whole GPUs',
  ]);
  t.deepEqual(misfit(need({ gpu: 0.5 }), room({ a: 1 })), []);
});

test('a claim takes its GPUs and a release returns exactly those', (t) => {
  const a = node('a', { cpu: 4 }, ['x', 'y']);
  const half = claim(a, a.id, need({ cpu: 1, gpu: 0.5 }));
  const whole = claim(a, a.id, need({ gpu: 1 }));
  t.deepEqual([[...half.gpus.keys()], [...whole.gpus.keys()]], [['x'], ['y']]);
  t.deepEqual(a.free, need({ cpu: 3, gpu: 0.5 }));
  release(a, half);
  release(a, whole);
  t.deepEqual(a.free, a.total);
  t.deepEqual(
    a.gpuFree,
    new Map([
      ['x', 10_000],
      ['y', 10_000],
    ]),
  );
});

test('the least used node is taken, and on a tie the first by name', (t) => {
  const [a, b, c] = [node('a', { cpu: 4 }), node('b', { cpu: 4 }), node('c', { cpu: 8 })];
  claim(a, a.id, need({ cpu: 2 }));
  const first = placeOne([c, b, a], need({ cpu: 1 }));
  t.is(first.ok && first.place.name, 'b');
  claim(b, b.id, need({ cpu: 1 }));
  const second = placeOne([a, b, c], need({ cpu: 1 }));
  t.is(second.ok && second.place.name, 'c');
});

test('pack takes the fullest node that has room, a soft affinity the wished one if it has', (t) => {
  const [a, b] = [node('a', { cpu: 4 }), node('b', { cpu: 4 })];
  claim(b, b.id, need({ cpu: 2 }));
  const placed = (units: number, strategy: SchedulingStrategy): string | undefined => {
    const found = placeOne([a, b], need({ cpu: units }), { strategy });
    return found.ok ? found.place.name : undefined;
  };
  t.is(placed(1, 'spread'), 'a');
  t.is(placed(1, 'pack'), 'b');
  t.is(placed(3, 'pack'), 'a');
  t.is(placed(1, { node: 'b' }), 'b');
  t.is(placed(3, { node: 'b' }), undefined);
  t.is(placed(1, { node: 'b', soft: true }), 'b');
  t.is(placed(3, { node: 'b', soft: true }), 'a');
  t.is(placed(1, { node: 'gone', soft: true }), 'a');
});

test('what needs no GPU leaves the nodes that have one to others', (t) => {
  const [a, b] = [node('a', { cpu: 4 }, ['x']), node('b', { cpu: 4 })];
  claim(b, b.id, need({ cpu: 3 }));
  const first = placeOne([a, b], need({ cpu: 1 }));
  t.is(first.ok && first.place.name, 'b');
  claim(b, b.id, need({ cpu: 1 }));
  const second = placeOne([a, b], need({ cpu: 1 }));
  t.is(second.ok && second.place.name, 'a');
});

test('busy and impossible are told apart', (t) => {
  const a = node('a', { cpu: 2 });
  claim(a, a.id, need({ cpu: 2 }));
  t.like(placeOne([a], need({ cpu: 1 })), { ok: false, never: false });
  t.like(placeOne([a], need({ cpu: 3 })), { ok: false, never: true });
  const wait = placeGroup([a], [need({ cpu: 1 }), need({ cpu: 1 })], 'pack');
  t.like(wait, { ok: false, never: false });
  t.like(placeGroup([a], [need({ cpu: 1 }), need({ cpu: 2 })], 'pack'), { never: true });
});

test('GPUs of one bundle are not promised to the next', (t) => {
  const a = node('a', { cpu: 4 }, ['x', 'y']);
  const two = [need({ gpu: 1 }), need({ gpu: 1 })];
  t.true(placeGroup([a], two, 'pack').ok);
  t.false(placeGroup([a], [...two, need({ gpu: 0.1 })], 'pack').ok);
  t.true(placeGroup([a], [need({ gpu: 0.6 }), need({ gpu: 0.6 })], 'strict-pack').ok);
  t.false(
    placeGroup(
      [a],
      Array.from({ length: 3 }, () => need({ gpu: 0.6 })),
      'pack',
    ).ok,
  );
});

test('a group with shares of GPUs that can never fit is refused, and one that might waits', (t) => {
  const a = node('a', { cpu: 4 }, ['x']);
  const b = node('b', { cpu: 4 }, ['y']);
  const shares = (...amounts: readonly number[]) => amounts.map((gpu) => need({ gpu }));
  const never = { ok: false, never: true };
  t.like(placeGroup([a, b], shares(0.7, 0.7, 0.7), 'pack'), {
    ...never,
    why: ['all bundles together: needs 2.1 gpu, has 2'],
  });
  t.like(placeGroup([a, b], shares(0.6, 0.6, 0.6), 'spread'), {
    ...never,
    why: ['3 GPUs are needed, there are 2'],
  });
  t.like(placeGroup([a, b], shares(0.6, 0.6), 'strict-pack'), never);
  t.like(placeGroup([a, b], shares(0.1, 0.1, 0.1), 'strict-spread'), {
    ...never,
    why: ['3 bundles need as many nodes, there are 2'],
  });
  t.like(placeGroup([a, b], [...shares(0.5, 0.5), need({ cpu: 5 })], 'pack'), {
    ...never,
    why: ['bundle 2 fits on no node, even alone'],
  });
  // Sums cannot tell.
  t.like(placeGroup([a, b], shares(0.4, 0.4, 0.4, 0.4, 0.4), 'pack'), { ok: false, never: false });
  claim(a, a.id, need({ gpu: 0.5 }));
  t.like(placeGroup([a, b], shares(0.7, 0.7), 'pack'), { ok: false, never: false });
});

test('a search too large to finish does not call a group impossible', (t) => {
  const nodes = Array.from({ length: 12 }, (_, n) => node(`n${n}`, { cpu: 7 + n / 10 }));
  const bundles = Array.from({ length: 14 }, (_, n) => need({ cpu: 5 + n / 100 }));
  t.like(placeGroup(nodes, bundles, 'pack'), { ok: false, never: false });
});

test('those who need nothing are shared out by number, and given back', (t) => {
  const nodes = [node('a', { cpu: 4 }), node('b', { cpu: 4 })];
  const placed = Array.from({ length: 4 }, () => {
    const found = placeOne(nodes, {});
    if (!found.ok) throw new Error(found.why.join());
    return { at: found.place, taken: claim(found.place, found.place.id, {}) };
  });
  t.deepEqual(
    placed.map(({ at }) => at.name),
    ['a', 'b', 'a', 'b'],
  );
  for (const { at, taken } of placed.slice(0, 3)) release(at, taken);
  t.deepEqual(
    nodes.map(({ claims }) => claims),
    [0, 1],
  );
  const packed = placeOne(nodes, {}, { strategy: 'pack' });
  t.is(packed.ok && packed.place.name, 'b');
});
