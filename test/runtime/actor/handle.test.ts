import test from 'ava';
import { checkMethodNames, makeHandle, type Outbound } from '../../../runtime/actor/handle.js';
import type { ActorId, NodeId, ProcessId } from '../../../runtime/ids.js';
import { ActorRef } from '../../../runtime/wire/address.js';
import { ActorProxy, decodeValue, encodeValue } from '../../../runtime/wire/value.js';

const ref = new ActorRef('a' as ActorId, 'n' as NodeId, 'Counter', {
  process: 'p' as ProcessId,
  machine: 'm',
  unix: '',
  url: 'ws://h:1',
});

interface Counter {
  add(by: number): number;
  call(text: string): string;
  count(): AsyncGenerator<number>;
}

function recorded() {
  const log: unknown[] = [];
  const never = (signal?: AbortSignal): Promise<unknown> =>
    new Promise((_, reject) => {
      // A timeout alone does not keep a process alive.
      const alive = setInterval(() => undefined, 1_000);
      const giveUp = (): void => {
        clearInterval(alive);
        reject(new Error('gave up'));
      };
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  const outbound: Outbound = {
    call: async (_, method, args, signal) => {
      log.push(['call', method, args]);
      return signal ? never(signal) : args[0];
    },
    async *stream(_, method, args, signal) {
      log.push(['stream', method, args]);
      if (signal) await never(signal);
      yield* args;
    },
    tell: (_, method, args) => void log.push(['tell', method, args]),
    latest: (_, method, args, slot, credits) =>
      void log.push(['latest', method, args, slot, credits]),
    kill: async () => void log.push(['kill']),
  };
  return { log, handle: makeHandle<Counter>(ref, outbound) };
}

test('every way of calling leaves by its own way out', async (t) => {
  const { log, handle } = recorded();
  t.is(await handle.add(2), 2);
  handle.tell.add(3);
  handle.latest('s').add(4);
  handle.latest('s', { credits: 5 }).add(6);
  await handle.stream.count().next();
  await handle.kill();
  t.deepEqual(log, [
    ['call', 'add', [2]],
    ['tell', 'add', [3]],
    ['latest', 'add', [4], 's', 2],
    ['latest', 'add', [6], 's', 5],
    ['stream', 'count', []],
    ['kill'],
  ]);
});

test('a method may have any name that is no member of handles', async (t) => {
  const { log, handle } = recorded();
  t.is(await handle.call('me'), 'me');
  t.deepEqual(log, [['call', 'call', ['me']]]);
});

test('a handle is no thenable, and can be returned from async functions', async (t) => {
  const { log, handle } = recorded();
  t.is(await Promise.resolve(handle), handle);
  t.deepEqual(log, []);
});

test('a handle crosses the wire as its reference', (t) => {
  const { handle } = recorded();
  t.true(handle instanceof ActorProxy);
  t.deepEqual(decodeValue(encodeValue([handle])), [ref]);
  t.is(handle.id, ref.actor);
});

test('a call that takes too long is an E_TIMEOUT that names it; so is a stream', async (t) => {
  const { handle } = recorded();
  const hasty = handle.with({ timeoutMs: 5 });
  await t.throwsAsync(hasty.add(1), { code: 'E_TIMEOUT', message: /Counter\.add .* 5 ms/ });
  await t.throwsAsync(hasty.stream.count().next(), {
    code: 'E_TIMEOUT',
    message: /Counter\.count .* 5 ms/,
  });
});

test('an abort is no timeout, and options of with() add up', async (t) => {
  const { handle } = recorded();
  const controller = new AbortController();
  const both = handle.with({ timeoutMs: 60_000 }).with({ signal: controller.signal });
  const pending = both.add(1);
  controller.abort();
  await t.throwsAsync(pending, { message: 'gave up' });
});

test('credits below one would never send, and are an E_OPTION', (t) => {
  const { handle } = recorded();
  for (const credits of [0, -1, 1.5, Number.NaN]) {
    t.throws(() => handle.latest('s', { credits }), { code: 'E_OPTION' });
  }
});

test('methods that a handle would hide are refused by name', (t) => {
  class Base {
    latest(): void {}
  }
  class Derived extends Base {
    add(): void {}
  }
  t.throws(() => checkMethodNames('Derived', Derived.prototype), {
    code: 'E_EXPORT',
    message: /Derived has a method named latest/,
  });
  class Thenable {
    // biome-ignore lint/suspicious/noThenProperty: the very name that is refused
    then(): void {}
  }
  t.throws(() => checkMethodNames('Thenable', Thenable.prototype), { code: 'E_EXPORT' });
  class Written {
    toString(): string {
      return 'mine';
    }
  }
  t.throws(() => checkMethodNames('Written', Written.prototype), { message: /toString/ });
  class Fine {
    call(): void {}
    add(): void {}
  }
  t.notThrows(() => checkMethodNames('Fine', Fine.prototype));
});
