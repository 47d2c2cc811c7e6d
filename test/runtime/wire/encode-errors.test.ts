import test from 'ava';
import type { ActorId } from '../../../runtime/ids.js';
import { encodeFrame } from '../../../runtime/wire/frame.js';

/** The text of the error with which a call with these arguments fails. */
function refusal(args: readonly unknown[]): string {
  const call = { kind: 'call', id: 1, actor: 'a' as ActorId, method: 'm', args, stream: false };
  try {
    encodeFrame([call as Parameters<typeof encodeFrame>[0][number]]);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

test('the text names the path of a function, a symbol and a cycle', (t) => {
  t.regex(refusal([{ cfg: { socket: () => 1 } }]), /^args\[0\]\.cfg\.socket is a function and/);
  t.regex(refusal([1, [Symbol('s')]]), /^args\[1\]\[0\] is a symbol and/);
  const loop: { self?: unknown } = {};
  loop.self = loop;
  t.regex(refusal([loop]), /^args\[0\]\.self refers back/);
});

test('the path leads through maps and sets', (t) => {
  t.regex(refusal([new Map([['cb', () => 1]])]), /^args\[0\]\.get\("cb"\) is a function and/);
  t.regex(refusal([{ all: new Set([() => 1]) }]), /^args\[0\]\.all\[0\] is a function and/);
});

test('a promise that nobody awaited is refused rather than sent as an empty object', (t) => {
  t.regex(refusal([{ later: Promise.resolve(1) }]), /^args\[0\]\.later is a promise and/);
});
