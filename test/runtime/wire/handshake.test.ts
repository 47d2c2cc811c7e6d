import test from 'ava';
import type { ProcessId } from '../../../runtime/ids.js';
import {
  bearer,
  decodeHello,
  encodeHello,
  type Hello,
  tokenMatches,
} from '../../../runtime/wire/handshake.js';
import { protocol } from '../../../runtime/wire/messages.js';

const hello: Hello = { process: 'p1' as ProcessId, role: 'driver', machine: 'laptop' };

const encoded = (changes: object): string =>
  Buffer.from(JSON.stringify({ ...protocol, ...hello, ...changes })).toString('base64url');

test('a hello comes back as it went', (t) => {
  t.deepEqual(decodeHello(encodeHello(hello)), hello);
});

test('overlapping protocol ranges are accepted, others refused in words', (t) => {
  t.deepEqual(decodeHello(encoded({ oldest: 0, newest: protocol.newest + 3 })), hello);
  const newer = { oldest: protocol.newest + 1, newest: protocol.newest + 2 };
  t.regex(String(decodeHello(encoded(newer))), /^protocol 2-3 is not spoken here, only 1-1$/);
  t.regex(String(decodeHello(encoded({ oldest: -1, newest: 0 }))), /^protocol -1-0 is not/);
});

test('anything else is refused in words', (t) => {
  const wrong = [
    undefined,
    '',
    ['a', 'b'],
    '%%%',
    Buffer.from('"text"').toString('base64url'),
    'A'.repeat(5_000),
    encoded({ process: '' }),
    encoded({ process: 'x'.repeat(65) }),
    encoded({ role: 'king' }),
    encoded({ machine: 7 }),
    encoded({ oldest: '1' }),
  ];
  for (const header of wrong) t.is(typeof decodeHello(header), 'string');
});

test('only the very token matches', (t) => {
  t.true(tokenMatches({ authorization: bearer('secret') }, 'secret'));
  for (const authorization of ['', 'secret', bearer('Secret'), bearer('secret '), bearer('')]) {
    t.false(tokenMatches({ authorization }, 'secret'));
  }
  t.false(tokenMatches({}, 'secret'));
});
