import test from 'ava';
import fc from 'fast-check';
import type { ActorId } from '../../../runtime/ids.js';
import { LatestLane } from '../../../runtime/wire/latest-lane.js';

const actor = 'a' as ActorId;
const other = 'b' as ActorId;

function lane(): { readonly lane: LatestLane; readonly sent: number[] } {
  const sent: number[] = [];
  return { sent, lane: new LatestLane((bytes) => sent.push(bytes[0]!) > 0) };
}

test('without credit the newest message waits and replaces an older one', (t) => {
  const { lane: latest, sent } = lane();
  for (const n of [1, 2, 3, 4, 5]) latest.publish(actor, 's', 2, Uint8Array.of(n));
  t.deepEqual(sent, [1, 2]);
  t.is(latest.dropped, 2);
  latest.credit(actor, 's');
  t.deepEqual(sent, [1, 2, 5]);
  latest.credit(actor, 's');
  latest.publish(actor, 's', 2, Uint8Array.of(6));
  t.deepEqual(sent, [1, 2, 5, 6]);
  t.is(latest.dropped, 2);
});

test('slots and actors have credits of their own', (t) => {
  const { lane: latest, sent } = lane();
  latest.publish(actor, 's', 1, Uint8Array.of(1));
  latest.publish(actor, 'r', 1, Uint8Array.of(2));
  latest.publish(other, 's', 1, Uint8Array.of(3));
  latest.publish(other, 's', 1, Uint8Array.of(4));
  t.deepEqual(sent, [1, 2, 3]);
  latest.credit(actor, 's');
  t.deepEqual(sent, [1, 2, 3]);
  latest.credit(other, 's');
  t.deepEqual(sent, [1, 2, 3, 4]);
});

test('a credit for an unknown slot changes nothing', (t) => {
  const { lane: latest, sent } = lane();
  latest.credit(actor, 's');
  latest.publish(actor, 's', 1, Uint8Array.of(1));
  latest.publish(actor, 's', 1, Uint8Array.of(2));
  t.deepEqual(sent, [1]);
});

test('never more under way than credits, always in order, and the newest gets through', (t) => {
  const events = fc.array(fc.constantFrom('publish', 'credit'), { maxLength: 60 });
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 4 }), (list, credits) => {
      const { lane: latest, sent } = lane();
      let published = 0;
      let consumed = 0;
      for (const event of list) {
        if (event === 'publish') latest.publish(actor, 's', credits, Uint8Array.of(++published));
        else if (consumed < sent.length) {
          consumed++;
          latest.credit(actor, 's');
        }
        t.true(sent.length - consumed <= credits);
      }
      while (consumed < sent.length) {
        consumed++;
        latest.credit(actor, 's');
      }
      t.deepEqual(
        sent,
        [...new Set(sent)].sort((a, b) => a - b),
      );
      if (published > 0) t.is(sent.at(-1), published);
      t.is(sent.length + latest.dropped, published);
    }),
  );
});

test('a message that the link refuses counts as dropped and gives its credit back', (t) => {
  let full = true;
  const sent: number[] = [];
  const latest = new LatestLane((bytes) => {
    if (full) return false;
    sent.push(bytes[0]!);
    return true;
  });
  latest.publish(actor, 's', 1, Uint8Array.of(1));
  t.is(latest.dropped, 1);
  full = false;
  latest.publish(actor, 's', 1, Uint8Array.of(2));
  t.deepEqual(sent, [2]);
});
