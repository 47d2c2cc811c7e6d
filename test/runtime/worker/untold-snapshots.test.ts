import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import type { ActorId } from '../../../runtime/ids.js';
import type { Message } from '../../../runtime/wire/messages.js';
import { UntoldSnapshots } from '../../../runtime/worker/untold-snapshots.js';
import { peerPair } from '../../helpers/peers.js';

const [a, b] = ['a', 'b'] as [ActorId, ActorId];
const of = (actor: ActorId, n: number) =>
  ({ kind: 'actor.snapshot', actor, state: Uint8Array.of(n) }) as const;

test('the last snapshot of each actor is told until a head has said that it is kept', async (t) => {
  const asked: number[] = [];
  const told: Message[] = [];
  const { left: head, right } = peerPair((_, message) => {
    if (message.kind === 'told.kept') asked.push(message.id);
    else told.push(message);
  });
  const keep = async (): Promise<void> => {
    right.send({ kind: 'reply', id: asked.shift()!, value: null });
    while (asked.length === 0 && snapshots.all.length > 0) await turn();
  };
  const snapshots = new UntoldSnapshots(() => head);
  for (const snapshot of [of(a, 1), of(b, 2), of(a, 3)]) snapshots.tell(snapshot);
  // A head that is killed now may have none of them.
  t.deepEqual(snapshots.all, [of(a, 3), of(b, 2)]);
  while (asked.length === 0) await turn();
  t.is(told.length, 3);
  // The first answer is about what was told before it was asked for.
  await keep();
  t.deepEqual(snapshots.all, [of(a, 3), of(b, 2)]);
  snapshots.tell(of(b, 4));
  await keep();
  t.deepEqual(snapshots.all, [of(b, 4)]);
  await keep();
  t.deepEqual(snapshots.all, []);
  snapshots.tell(of(a, 5));
  snapshots.forget(a);
  t.deepEqual(snapshots.all, []);
  head.close('done');
});
