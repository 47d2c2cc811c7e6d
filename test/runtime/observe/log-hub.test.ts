import test from 'ava';
import type { ActorId, ProcessId } from '../../../runtime/ids.js';
import { LogHub } from '../../../runtime/observe/log-hub.js';
import type { OutputLine } from '../../../runtime/observe/reports.js';
import type { Message, MessageOf } from '../../../runtime/wire/messages.js';
import type { Peer } from '../../../runtime/wire/peer.js';
import { driver, HeadScript } from '../../helpers/head-events.js';

/** A process at the other end that answers when it is told to. */
class Other {
  readonly sent: Message[] = [];
  readonly batches: MessageOf<'log.lines'>[] = [];
  readonly #answers: (() => void)[] = [];

  send(message: Message): void {
    this.sent.push(message);
  }

  request(batch: MessageOf<'log.lines'>): Promise<void> {
    this.batches.push(batch);
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  async answer(): Promise<void> {
    for (const answer of this.#answers.splice(0)) answer();
    await new Promise(setImmediate);
  }

  texts(): readonly (readonly string[])[] {
    return this.batches.map(({ lines }) => lines.map(({ text }) => text));
  }

  /** Items of a stream that it reads. */
  items(): readonly (readonly string[])[] {
    return this.sent.flatMap((message) =>
      message.kind === 'stream.item'
        ? [(message.value as readonly OutputLine[]).map(({ text }) => text)]
        : [],
    );
  }

  kinds(): readonly string[] {
    return this.sent.map(({ kind }) => kind);
  }

  get peer(): Peer {
    return this as unknown as Peer;
  }
}

class Scene {
  readonly head = new HeadScript();
  readonly driver = new Other();
  readonly agent = new Other();
  readonly hub: LogHub;
  #id = 1;

  constructor() {
    const peers = new Map([[driver, this.driver.peer]]);
    const endpoint = { peers, roleOf: () => undefined };
    this.hub = new LogHub({ state: () => this.head.state, endpoint });
    this.head.join('n', { cpu: 100 });
  }

  want(wanted = true): void {
    this.hub.serve(this.driver.peer, { kind: 'log.want', wanted });
  }

  print(actor: ActorId, ...texts: readonly string[]): void {
    const lines = texts.map((text) => ({ stream: 'stdout', text }) as const);
    const id = this.#id++;
    const batch = { id, actor, label: 'Counter', node: 'n', lines } as const;
    this.hub.serve(this.agent.peer, { kind: 'log.lines', ...batch });
  }

  read(actor: string, follow: boolean): Other {
    const reader = new Other();
    this.hub.serve(reader.peer, { kind: 'log.read', id: 5, actor, tail: 10, follow });
    return reader;
  }
}

const hostOf = (actor: ActorId): ProcessId => `host-${actor}` as ProcessId;

test('lines find the driver through owners that are actors themselves', (t) => {
  const scene = new Scene();
  scene.want();
  const parent = scene.head.living();
  const child = scene.head.living({ from: hostOf(parent) });
  const grandchild = scene.head.living({ from: hostOf(child) });
  const stranger = scene.head.living({ from: 'somebody' as ProcessId });
  scene.print(grandchild, 'hello');
  scene.print(stranger, 'not for you');
  t.deepEqual(scene.driver.texts(), [['hello']]);
  t.is(scene.driver.batches[0]!.actor, grandchild);
  scene.want(false);
  scene.print(grandchild, 'unwanted');
  t.is(scene.driver.batches.length, 1);
  t.deepEqual(scene.agent.kinds(), ['reply', 'reply', 'reply']);
});

test('owners in a circle end the search', (t) => {
  const scene = new Scene();
  scene.want();
  const actor = scene.head.living();
  Object.assign(scene.head.state.actors.get(actor)!, { owner: hostOf(actor) });
  scene.print(actor, 'round and round');
  t.is(scene.driver.batches.length, 0);
});

test('a driver that does not keep up misses lines, and is told so when it has caught up', async (t) => {
  const scene = new Scene();
  scene.want();
  const actor = scene.head.living();
  const big = 'x'.repeat(3 * 1024 * 1024);
  scene.print(actor, big);
  scene.print(actor, big, 'more');
  scene.print(actor, 'little');
  t.deepEqual(
    scene.driver.texts().map(([text]) => text?.slice(0, 8)),
    ['xxxxxxxx', '[2 lines'],
  );
  await scene.driver.answer();
  scene.print(actor, 'again');
  t.deepEqual(scene.driver.texts().at(-1), ['again']);
});

test('misses are told even if nothing more is printed', async (t) => {
  const scene = new Scene();
  scene.want();
  const big = 'x'.repeat(3 * 1024 * 1024);
  scene.print(scene.head.living(), big);
  scene.print(scene.head.living(), big);
  t.is(scene.driver.batches.length, 1);
  await scene.driver.answer();
  t.deepEqual(scene.driver.texts()[1], ['[1 line dropped: more than can be passed on]']);
});

test('one who reads along hears no more than it has room for, and how much it missed', (t) => {
  const scene = new Scene();
  const actor = scene.head.living({ name: 'c' });
  scene.print(actor, 'before');
  const reader = scene.read('c', true);
  for (let line = 0; line < 100; line++) scene.print(actor, `${line}`);
  t.is(reader.items().length, 64);
  scene.hub.serve(reader.peer, { kind: 'stream.credit', id: 5, count: 1 });
  scene.print(actor, 'after');
  t.deepEqual(reader.items().at(-1), ['[37 lines dropped: more than can be passed on]', 'after']);
  t.true(scene.hub.serve(reader.peer, { kind: 'cancel', id: 5 }));
  scene.print(actor, 'too late');
  t.is(reader.items().length, 65);
  t.false(scene.hub.serve(reader.peer, { kind: 'cancel', id: 6 }), 'somebody else’s business');
});

test('reading ends with the actor; a name means the living, or else the last that had it', (t) => {
  const scene = new Scene();
  const first = scene.head.living({ name: 'c' });
  scene.print(first, 'first');
  const reader = scene.read('c', true);
  t.deepEqual(reader.kinds(), ['stream.item']);
  scene.head.exited(first);
  scene.hub.settle();
  t.deepEqual(reader.kinds(), ['stream.item', 'stream.end']);
  t.deepEqual(scene.read('c', true).kinds(), ['stream.item', 'stream.end']);
  const second = scene.head.living({ name: 'c' });
  scene.print(second, 'second');
  t.deepEqual(scene.read('c', false).items(), [['second']]);
  t.deepEqual(scene.read(first, false).items(), [['first']]);
  scene.head.exited(second);
  t.deepEqual(scene.read('c', false).items(), [['second']]);
  t.deepEqual(scene.read('nobody', false).kinds(), ['error']);
});
