import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { RuntimeError } from '../../../runtime/errors.js';
import type { ActorId, ProcessId } from '../../../runtime/ids.js';
import type { Link, LinkEvents } from '../../../runtime/wire/link.js';
import type { Message } from '../../../runtime/wire/messages.js';
import { Peer } from '../../../runtime/wire/peer.js';
import type { RequestBody } from '../../../runtime/wire/pending.js';
import { peerPair } from '../../helpers/peers.js';

const actor = 'a' as ActorId;
const call = (...args: readonly unknown[]): RequestBody => ({
  kind: 'call',
  actor,
  method: 'm',
  args,
  stream: false,
});
const tell = (...args: readonly unknown[]) => ({ kind: 'tell', actor, method: 'm', args }) as const;

/** Answers calls with what `body` makes of the arguments. */
const answering =
  (body: (args: readonly unknown[]) => unknown) =>
  (peer: Peer, message: Message): void => {
    if (message.kind !== 'call') return;
    peer.send({ kind: 'reply', id: message.id, value: body(message.args) });
  };

test('answers find their requests, in whatever order they come', async (t) => {
  const held: { readonly peer: Peer; readonly id: number; readonly value: unknown }[] = [];
  const { left } = peerPair((peer, message) => {
    if (message.kind === 'call') held.push({ peer, id: message.id, value: message.args[0] });
    if (held.length < 3) return;
    for (const { peer: to, id, value } of held.reverse()) to.send({ kind: 'reply', id, value });
  });
  t.deepEqual(await Promise.all([1, 2, 3].map((n) => left.request(call(n)))), [1, 2, 3]);
  left.close('done');
});

test('one bad argument fails its own call and not the batch around it', async (t) => {
  const { left } = peerPair(answering(([n]) => n));
  const [before, bad, after] = [
    left.request(call(1)),
    left.request(call(test)),
    left.request(call(2)),
  ];
  await t.throwsAsync(bad, { code: 'E_ENCODE', message: /^args\[0\] is a function/ });
  t.deepEqual(await Promise.all([before, after]), [1, 2]);
  left.close('done');
});

test('an answer that cannot be encoded is an error for the caller', async (t) => {
  const { left, right } = peerPair(answering(() => ({ cb: () => 1 })));
  // Both sides use the same ids: the failed answer must not be taken for the other side's own request.
  const own = right.request(call());
  await t.throwsAsync(left.request(call()), {
    code: 'E_ENCODE',
    message: /^value\.cb is a function/,
  });
  left.close('done');
  await t.throwsAsync(own, { code: 'E_PEER_LOST' });
});

test('an unsendable tell throws at once, and tells keep their place among calls', async (t) => {
  const seen: unknown[] = [];
  const { left } = peerPair((peer, message) => {
    if (message.kind === 'tell' || message.kind === 'call') seen.push(message.args[0]);
    answering(() => null)(peer, message);
  });
  t.throws(() => left.tell(tell(() => 1)), {
    code: 'E_ENCODE',
    message: /^args\[0\] is a function/,
  });
  const first = left.request(call(1));
  const buffer = Uint8Array.of(7);
  left.tell(tell(buffer));
  buffer[0] = 0;
  await Promise.all([first, left.request(call(3))]);
  t.deepEqual(seen, [1, Uint8Array.of(7), 3]);
  left.close('done');
});

test('an abort rejects at once and tells the other side', async (t) => {
  const cancelled = new Promise<number>((resolve) => {
    const { left } = peerPair((_, message) => {
      if (message.kind !== 'cancel') return;
      resolve(message.id);
      left.close('done');
    });
    const controller = new AbortController();
    const pending = left.request(call(), { signal: controller.signal });
    void t.throwsAsync(pending, { code: 'E_ABORTED' });
    controller.abort();
  });
  t.is(await cancelled, 1);
});

test('a request that is given up as soon as it is made is heard of before its end', async (t) => {
  const heard: string[] = [];
  const { left } = peerPair((_, { kind }) => heard.push(kind));
  const controller = new AbortController();
  const given = left.request(call(1), { signal: controller.signal });
  controller.abort();
  await t.throwsAsync(given, { code: 'E_ABORTED' });
  while (heard.length < 2) await turn();
  t.deepEqual(heard, ['call', 'cancel']);
  left.close('done');
});

test('a peer that goes away rejects what waits for it, and says so once to each side', async (t) => {
  const { left, right, ends } = peerPair(() => undefined);
  const waiting = [left.request(call()), left.stream(call()).next()];
  await turn();
  right.close('gone');
  for (const pending of waiting) {
    await t.throwsAsync(pending, { code: 'E_PEER_LOST', message: 'right: gone' });
  }
  await t.throwsAsync(left.request(call()), { code: 'E_PEER_LOST' });
  left.close('again');
  t.deepEqual(ends, ['left: gone', 'right: right: gone']);
});

test('a frame that cannot be decoded closes the link', async (t) => {
  const { left, ends } = peerPair((peer) => {
    peer.send({ kind: 'no such kind' } as never);
  });
  await t.throwsAsync(left.request(call()), { code: 'E_PEER_LOST' });
  t.is(ends.length, 2);
});

test('what is sent before there is a link goes out in order when it comes', async (t) => {
  const seen: number[] = [];
  const peer = new Peer(
    'p' as ProcessId,
    'p',
    { message: () => undefined, closed: () => undefined },
    () => (ref) => ref,
  );
  peer.send({ kind: 'host.ready', pid: 1 });
  peer.tell(tell());
  await turn();
  const { left } = peerPair(() => undefined);
  left.close('unused');
  peer.attach({
    open: () => undefined,
    send: (bytes) => void seen.push(bytes.byteLength),
    close: () => undefined,
  });
  t.is(seen.length, 2);
});

/** A link whose peer reads nothing: it takes `room` frames and then is full. */
class FullLink implements Link {
  room: number;
  closedWith: string | undefined;
  #events: LinkEvents | undefined;

  constructor(room: number) {
    this.room = room;
  }

  open(events: LinkEvents): void {
    this.#events = events;
  }

  send(): void {
    if (this.room-- <= 0) throw new RuntimeError('E_BACKPRESSURE', 'full');
  }

  receive(bytes: Uint8Array<ArrayBuffer>): void {
    this.#events?.frame(bytes);
  }

  close(why: string): void {
    this.closedWith = why;
  }
}

const fullPeer = (link: FullLink): Peer => {
  const peer = new Peer(
    'p' as ProcessId,
    'p',
    { message: () => undefined, closed: () => undefined },
    () => (ref) => ref,
  );
  peer.attach(link);
  return peer;
};

test('a full link fails requests and tells, and the link lives on', async (t) => {
  const link = new FullLink(0);
  const peer = fullPeer(link);
  await t.throwsAsync(peer.request(call()), { code: 'E_BACKPRESSURE' });
  t.throws(() => peer.tell(tell()), { code: 'E_BACKPRESSURE' });
  t.is(link.closedWith, undefined);
  t.false(peer.closed);
});

test('a full link drops latest messages, and their slot recovers', (t) => {
  const link = new FullLink(0);
  const peer = fullPeer(link);
  const sender = 'p' as ProcessId;
  const to = { process: sender, machine: '', unix: '', url: '' };
  const lane = { sender, to, actor, slot: 's', credits: 2 };
  const message = { kind: 'latest', ...lane, method: 'm', args: [] } as const;
  for (let n = 0; n < 5; n++) peer.latest(message);
  t.is(peer.traffic.latestMessages, 0);
  t.is(peer.traffic.latestDropped, 5);
  link.room = 10;
  peer.latest(message);
  t.is(peer.traffic.latestMessages, 1);
});

test('a link too full for an answer is closed: its caller would wait for ever', async (t) => {
  const link = new FullLink(1);
  const peer = fullPeer(link);
  const own = peer.request(call());
  await turn();
  peer.send({ kind: 'reply', id: 1, value: 1 });
  await t.throwsAsync(own, { code: 'E_PEER_LOST' });
  t.regex(link.closedWith ?? '', /full/);
});
