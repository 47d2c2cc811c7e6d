/** Both ends of the way from one patch to another, for every wire precision. */

import test from 'ava';
import { BorderReceiver, BorderSender } from '../../../pcpp/engine/border-wire.js';
import { manifestOf } from '../../../pcpp/partition/manifest.js';
import { type PatchPlan, planPatches } from '../../../pcpp/partition/plan.js';
import { borderBytes, isResidual, type Wire, wires } from '../../../pcpp/partition/wire.js';
import { exampleSites } from '../../helpers/example-sites.js';
import { maxAbsDifference } from '../../helpers/golden.js';
import { noise } from '../../helpers/small-graph.js';

const planOf = (wire: Wire): PatchPlan =>
  planPatches(exampleSites, {
    height: 96,
    width: 8,
    batch: 2,
    patches: 3,
    mode: 'pcpp',
    wire,
  });

const first = 4;
const residuals = wires.filter(isResidual);
const { length, regions } = manifestOf(planOf('fp32'), 0, 1);
/** Moments and latent rows come first. */
const exact = regions.find((region) => region.kind === 'border')!.offset;

/** Values that drift from step to step as activations do: by a tenth of their size. */
function payloadOf(step: number): Float32Array {
  const still = noise([length], 1).data;
  return noise([length], 2 + step).data.map((value, index) => still[index]! + 0.1 * value);
}

const ends = (wire: Wire) => {
  const plan = planOf(wire);
  return {
    plan,
    sender: new BorderSender(plan, 0, 1),
    receiver: new BorderReceiver(plan, 0, 1, first),
  };
};

for (const wire of wires) {
  test(`${wire}: as many bytes as planned in every step; moments and latent rows are exact`, (t) => {
    const { plan, sender, receiver } = ends(wire);
    for (let step = first; step < first + 3; step++) {
      const payload = payloadOf(step);
      const frame = sender.encode(payload, step);
      t.is(frame.byteLength, borderBytes(plan, 0, 1, step === first ? 'key' : 'steady'));
      const got = receiver.decode(frame, step);
      t.deepEqual(got.slice(0, exact), payload.slice(0, exact));
    }
  });
}

test('sizes by hand: header, exact values, scales of a row each, values', (t) => {
  const values = length - exact;
  // 32 planes of two convolutions with rows of 8, and 20 + 4 * 2 * 5 values of attention in blocks of 2 and 10.
  const scales = 32 + 32 + 20 + 4;
  t.is(exact, 80);
  const size = (wire: Wire, kind: 'steady' | 'key' | 'repair' = 'steady') =>
    borderBytes(planOf(wire), 0, 1, kind);
  t.is(size('fp32'), 4 * length);
  t.is(size('fp16'), 4 * exact + 2 * values);
  t.is(size('int8'), 4 * exact + 2 * scales + values);
  t.is(size('residual-int8'), 16 + 4 * exact + 2 * scales + values);
  t.is(size('residual-int4'), 16 + 4 * exact + 2 * scales + values / 2);
  t.is(size('residual-int4', 'key'), 16 + 4 * exact + 2 * values);
  t.is(size('residual-int4', 'repair'), 16 + 4 * length);
});

/** Largest error of a few steps, the first not counted. */
function errorOf(wire: Wire, payload: (step: number) => Float32Array): number {
  const { sender, receiver } = ends(wire);
  const errors: number[] = [];
  for (let step = first; step < first + 8; step++) {
    const got = receiver.decode(sender.encode(payload(step), step), step);
    errors.push(maxAbsDifference(got, payload(step)));
  }
  return Math.max(...errors.slice(1));
}

test('each wire rounds by as much as its bits say; residuals by less, since changes are small', (t) => {
  const error = (wire: Wire): number => errorOf(wire, payloadOf);
  t.is(error('fp32'), 0);
  t.true(error('fp16') < 2 ** -10);
  t.true(error('int8') > error('fp16') && error('int8') < 4 / 127);
  t.true(error('residual-int8') < error('int8') / 4);
  t.true(error('residual-int4') < 1 / 14);
});

test('what stands still is known ever better by residuals: what one rounded the next makes up for', (t) => {
  for (const wire of residuals) {
    t.true(errorOf(wire, () => payloadOf(0)) < 2 ** -10, wire);
    const { sender, receiver } = ends(wire);
    receiver.decode(sender.encode(payloadOf(0), first), first);
    const errors = [1, 2, 3, 4].map((later) => {
      const got = receiver.decode(sender.encode(payloadOf(1), first + later), first + later);
      return maxAbsDifference(got, payloadOf(1));
    });
    t.true(errors[3]! < errors[0]! / 4, `${wire}: ${errors}`);
  }
});

test('values beyond every half, and none at all, do no harm', (t) => {
  for (const wire of wires) {
    const { sender, receiver } = ends(wire);
    const payload = new Float32Array(length);
    payload[length - 1] = 1e9;
    payload[exact] = -1e-9;
    for (let step = first; step < first + 3; step++) {
      const got = receiver.decode(sender.encode(payload, step), step);
      t.true(got.every(Number.isFinite), wire);
      t.true(got[length - 1]! >= 65_504, wire);
    }
  }
});

for (const wire of residuals) {
  test(`${wire}: a lost message is noticed, repaired, and all is as if it had come`, (t) => {
    const { sender, receiver } = ends(wire);
    const other = new BorderReceiver(planOf(wire), 0, 1, first);
    const read = (step: number, frame: Uint8Array) => receiver.decode(frame, step).slice();
    const frames = [0, 1, 2, 3, 4].map((step) => sender.encode(payloadOf(step), first + step));
    const whole = frames.map((frame, step) => other.decode(frame, first + step).slice());
    t.deepEqual(receiver.missing(first), []);
    t.deepEqual(read(first, frames[0]!), whole[0]!);
    // Version first + 1 and the next never come.
    t.deepEqual(receiver.missing(first + 3), [first + 1, first + 2]);
    t.throws(() => read(first + 3, frames[3]!), {
      code: 'E_SHAPE',
      message: /builds on version 6/,
    });
    for (const lost of [1, 2]) {
      const repair = sender.repair(first + lost)!;
      t.is(repair.byteLength, borderBytes(planOf(wire), 0, 1, 'repair'));
      t.deepEqual(receiver.missing(first + lost), []);
      const got = read(first + lost, repair);
      t.deepEqual(got, whole[lost]!);
    }
    t.deepEqual(read(first + 3, frames[3]!), whole[3]!);
    t.deepEqual(receiver.missing(first + 4), []);
    t.deepEqual(read(first + 4, frames[4]!), whole[4]!);
    t.is(sender.repair(first), undefined);
  });

  test(`${wire}: the very first message can be repaired too`, (t) => {
    const { sender, receiver } = ends(wire);
    sender.encode(payloadOf(0), first);
    const second = sender.encode(payloadOf(1), first + 1);
    t.deepEqual(receiver.missing(first + 1), [first]);
    receiver.decode(sender.repair(first)!, first);
    t.notThrows(() => receiver.decode(second, first + 1));
  });
}

test('bytes that are no such message are refused, and the next one is read', (t) => {
  for (const wire of wires) {
    const { sender, receiver } = ends(wire);
    const frame = sender.encode(payloadOf(0), first);
    const refused = (bytes: Uint8Array, message: RegExp) =>
      t.throws(() => receiver.decode(bytes, first), { code: 'E_SHAPE', message }, wire);
    refused(frame.slice(0, -1), /from patch 0 to 1 has \d+ bytes, the plan says \d+/);
    refused(new Uint8Array(3), /has 3 bytes/);
    if (isResidual(wire)) {
      refused(new Uint8Array(frame.length).fill(255), /is not one of version 4/);
      t.throws(() => receiver.decode(frame, first + 1), { message: /is not one of version 5/ });
    }
    t.notThrows(() => receiver.decode(frame, first));
  }
});

test('a message that lies at an odd place in memory is read all the same', (t) => {
  for (const wire of wires) {
    const { sender, receiver } = ends(wire);
    const frame = sender.encode(payloadOf(0), first);
    const shifted = new Uint8Array(frame.length + 1);
    shifted.set(frame, 1);
    const got = receiver.decode(shifted.subarray(1), first).slice();
    t.deepEqual(got, new BorderReceiver(planOf(wire), 0, 1, first).decode(frame, first));
  }
});
