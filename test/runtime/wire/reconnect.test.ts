import test from 'ava';
import { RuntimeError } from '../../../runtime/errors.js';
import type { ActorId, ProcessId } from '../../../runtime/ids.js';
import type { Hello } from '../../../runtime/wire/handshake.js';
import { type Link, type LinkEvents, memoryLink } from '../../../runtime/wire/link.js';
import type { Message } from '../../../runtime/wire/messages.js';
import { Peer } from '../../../runtime/wire/peer.js';
import { redial } from '../../../runtime/wire/redial.js';
import { until } from '../../helpers/until.js';

const status = { kind: 'status' } as const;
const actor = 'a' as ActorId;

/** A link that can break. */
class CutLink implements Link {
  readonly #inner: Link;
  #events: LinkEvents | undefined;
  #isCut = false;

  constructor(inner: Link) {
    this.#inner = inner;
  }

  open(events: LinkEvents): void {
    this.#events = events;
    this.#inner.open({
      frame: (bytes) => this.#isCut || events.frame(bytes),
      closed: (why, isMeant) => this.#isCut || events.closed(why, isMeant),
    });
  }

  send(bytes: Uint8Array<ArrayBuffer>, lane: Parameters<Link['send']>[1]): void {
    if (!this.#isCut) this.#inner.send(bytes, lane);
  }

  close(why: string): void {
    this.#inner.close(why);
  }

  cut(): void {
    this.#isCut = true;
    this.#events?.closed('cut', false);
  }
}

/** One process that keeps its peer, and a head that is another one after each `restart`. */
class Pair {
  readonly ends: string[] = [];
  readonly peer: Peer;
  heard: Message[] = [];
  head: Peer | undefined;
  #link: CutLink | undefined;

  constructor(greeting: readonly Message[] = []) {
    this.peer = new Peer(
      'head' as ProcessId,
      'head',
      {
        message: () => undefined,
        interrupted: () => true,
        closed: (_, why) => this.ends.push(why),
      },
      () => (ref) => ref,
    );
    this.restart(greeting);
  }

  restart(greeting: readonly Message[] = []): void {
    const [left, right] = memoryLink();
    this.heard = [];
    this.head = new Peer(
      'left' as ProcessId,
      'left',
      { message: (_, message) => this.heard.push(message), closed: () => undefined },
      () => (ref) => ref,
    );
    this.head.attach(right);
    this.#link = new CutLink(left);
    this.peer.attach(this.#link, greeting);
  }

  cut(): void {
    this.#link!.cut();
  }

  async hears(count: number): Promise<void> {
    await until(`${count} messages`, () => this.heard.length >= count);
  }
}

test('requests under way are asked again under their ids, after the greeting, and answered once', async (t) => {
  const pair = new Pair();
  const [first, second] = [pair.peer.request<string>(status), pair.peer.request<string>(status)];
  await pair.hears(2);
  pair.head!.send({ kind: 'reply', id: 1, value: 'one' });
  t.is(await first, 'one');
  pair.cut();
  const third = pair.peer.request<string>(status);
  const greeting = { kind: 'log.want', wanted: true } as const;
  pair.restart([greeting]);
  await pair.hears(3);
  t.deepEqual(pair.heard, [greeting, { ...status, id: 2 }, { ...status, id: 3 }]);
  pair.head!.send({ kind: 'reply', id: 2, value: 'two' });
  pair.head!.send({ kind: 'reply', id: 2, value: 'twice' });
  pair.head!.send({ kind: 'reply', id: 3, value: 'three' });
  t.deepEqual(await Promise.all([second, third]), ['two', 'three']);
  t.deepEqual(pair.ends, []);
});

test('a request that was given up is cancelled again, until it is answered', async (t) => {
  const pair = new Pair();
  const stop = new AbortController();
  const asked = pair.peer.request(status, { signal: stop.signal });
  await pair.hears(1);
  pair.cut();
  stop.abort();
  await t.throwsAsync(asked, { code: 'E_ABORTED' });
  for (let restart = 0; restart < 2; restart++) {
    pair.restart();
    await pair.hears(1);
    t.deepEqual(pair.heard, [{ kind: 'cancel', id: 1 }]);
    if (restart === 0) pair.cut();
  }
  pair.head!.send({ kind: 'error', id: 1, error: { name: 'Error', message: 'given up' } });
  const other = pair.peer.request(status);
  await pair.hears(2);
  pair.cut();
  pair.restart();
  await pair.hears(1);
  t.deepEqual(pair.heard, [{ ...status, id: 2 }]);
  pair.peer.close('done');
  await t.throwsAsync(other, { code: 'E_CLOSED' });
});

test('what is no request is not sent later, and a stream ends', async (t) => {
  const pair = new Pair();
  const stream = pair.peer.stream({ kind: 'log.read', actor: 'a', tail: 1, follow: true });
  const next = stream.next();
  await pair.hears(1);
  pair.cut();
  pair.peer.send({ kind: 'actor.waiting', actor, waiting: true });
  await t.throwsAsync(next, { code: 'E_PEER_LOST', message: /cut/ });
  await t.throwsAsync(
    pair.peer.stream({ kind: 'log.read', actor: 'a', tail: 1, follow: true }).next(),
    {
      code: 'E_PEER_LOST',
    },
  );
  pair.restart();
  const asked = pair.peer.request(status);
  await pair.hears(1);
  t.deepEqual(pair.heard, [{ ...status, id: 3 }]);
  pair.head!.send({ kind: 'reply', id: 3, value: 1 });
  t.is(await asked, 1);
});

test('a link that is closed on purpose is not waited for', async (t) => {
  const pair = new Pair();
  const asked = pair.peer.request(status);
  await pair.hears(1);
  pair.head!.close('the head stops');
  await t.throwsAsync(asked, { code: 'E_PEER_LOST', message: /the head stops/ });
  t.is(pair.ends.length, 1);
});

const known: Hello = { process: 'h' as ProcessId, role: 'head', machine: 'm', epoch: 3 };
const nobody = new RuntimeError('E_UNREACHABLE', 'nobody there');

interface Answering {
  readonly after?: number;
  readonly timeoutMs?: number;
  /** @default `known` */
  readonly before?: Hello | undefined;
}

/** Somebody answers after a few attempts. */
function answering(hello: Partial<Hello>, options: Answering = {}) {
  const { after = 2, timeoutMs = 60_000 } = options;
  const socket = { isOpen: true, terminate: () => Object.assign(socket, { isOpen: false }) };
  let attempts = 0;
  const stop = new AbortController();
  const found = redial({
    url: 'ws://h:1',
    dial: () => {
      if (attempts++ < after) return Promise.reject(nobody);
      return Promise.resolve({ socket, hello: { ...known, ...hello } });
    },
    known: 'before' in options ? options.before : known,
    timeoutMs,
    why: 'cut',
    signal: stop.signal,
  });
  return { found, socket, stop };
}

test('a head that has started once more is taken, however often nobody answered before', async (t) => {
  const { found, socket } = answering({ epoch: 4 }, { after: 4 });
  t.is((await found).hello.epoch, 4);
  t.true(socket.isOpen);
});

for (const [what, hello, message] of [
  ['that was there all the time', {}, /^cut$/],
  ['of another cluster', { process: 'other' as ProcessId, epoch: 9 }, /another cluster now/],
  ['with an older state', { epoch: 2 }, /another cluster now/],
] as const) {
  test(`a head ${what} is not taken`, async (t) => {
    const { found, socket } = answering(hello);
    await t.throwsAsync(found, { message });
    t.false(socket.isOpen);
  });
}

test('before there was a head, any is taken', async (t) => {
  const { found } = answering({ process: 'other' as ProcessId }, { before: undefined });
  t.is((await found).hello.process, 'other' as ProcessId);
});

test('a refused token ends the search, and so does the time or the end of the process', async (t) => {
  const signal = new AbortController().signal;
  const refused = new RuntimeError('E_TOKEN', 'refused the token');
  const options = { url: 'u', known, timeoutMs: 60_000, why: 'cut', signal };
  await t.throwsAsync(redial({ ...options, dial: () => Promise.reject(refused) }), {
    code: 'E_TOKEN',
  });
  await t.throwsAsync(answering({ epoch: 4 }, { after: 99, timeoutMs: 30 }).found, {
    code: 'E_PEER_LOST',
    message: /cut; no head was back at ws:\/\/h:1 within 0.03 s \(nobody there\)/,
  });
  const { found, stop } = answering({ epoch: 4 }, { after: 99 });
  stop.abort();
  await t.throwsAsync(found, { name: 'AbortError' });
});
