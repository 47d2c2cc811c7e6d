import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import { type ActorsError, VersionedMailbox } from '../../actors/index.js';

/** `pending`, the value, or the code of the error. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const code = (error: unknown): string => (error as ActorsError).code;
  return Promise.race([promise.catch(code), turn('pending')]);
}

test('a reader gets exactly its version, whether it waits or comes later', async (t) => {
  const box = new VersionedMailbox<string>();
  const waiting = box.take('s', 1);
  void box.put('s', 0, 'zero');
  t.is(await stateOf(waiting), 'pending');
  void box.put('s', 1, 'one');
  t.is(await waiting, 'one');
  void box.put('s', 2, 'two');
  t.is(await box.take('s', 2), 'two');
});

test('slots do not know of each other', async (t) => {
  const box = new VersionedMailbox<string>();
  void box.put('a', 5, 'five');
  void box.put('b', 1, 'one');
  t.deepEqual([await box.take('a', 5), await box.take('b', 1)], ['five', 'one']);
});

test('a version may be read again until a later one is', async (t) => {
  const box = new VersionedMailbox<string>();
  void box.put('s', 1, 'one');
  t.deepEqual([await box.take('s', 1), await box.take('s', 1)], ['one', 'one']);
  void box.put('s', 2, 'two');
  t.is(await box.take('s', 1), 'one');
  await box.take('s', 2);
  await t.throwsAsync(box.take('s', 1), { code: 'E_VERSION_GONE' });
});

test('two readers of one version both get it', async (t) => {
  const box = new VersionedMailbox<string>();
  const readers = [box.take('s', 1), box.take('s', 1)];
  void box.put('s', 1, 'one');
  t.deepEqual(await Promise.all(readers), ['one', 'one']);
});

test('a reader whose version was passed over is told rather than left waiting', async (t) => {
  const box = new VersionedMailbox<string>();
  const [early, late] = [box.take('s', 1), box.take('s', 2)];
  void box.put('s', 2, 'two');
  t.is(await late, 'two');
  await t.throwsAsync(early, { code: 'E_VERSION_GONE', message: /version 1 of s/ });
});

test('a reader of a version that was lost is told once too many later ones are there', async (t) => {
  const box = new VersionedMailbox<string>({ keep: 2 });
  const lost = box.take('s', 0);
  void box.put('s', 1, 'one');
  void box.put('s', 2, 'two');
  t.is(await stateOf(lost), 'pending');
  void box.put('s', 3, 'three');
  t.is(await stateOf(lost), 'E_VERSION_GONE');
  t.is(box.counts.dropped, 1);
  t.is(await box.take('s', 2), 'two');
});

test('a sender hears when its value was read, replaced, dropped or came too late', async (t) => {
  const box = new VersionedMailbox<string>({ keep: 1 });
  const first = box.put('s', 1, 'one');
  t.is(await stateOf(first.then(() => 'consumed')), 'pending');
  const again = box.put('s', 1, 'one again');
  await first;
  const second = box.put('s', 2, 'two');
  await again;
  t.is(await box.take('s', 2), 'two');
  await second;
  await box.put('s', 2, 'duplicate');
  await box.put('s', 1, 'too late');
  t.pass();
});

test('an abort rejects its reader and no other', async (t) => {
  const box = new VersionedMailbox<string>();
  const controller = new AbortController();
  const [aborted, patient] = [box.take('s', 1, { signal: controller.signal }), box.take('s', 1)];
  controller.abort(new Error('enough'));
  const error = await t.throwsAsync(aborted, { code: 'E_ABORTED' });
  t.is((error.cause as Error).message, 'enough');
  void box.put('s', 1, 'one');
  t.is(await patient, 'one');
  await t.throwsAsync(box.take('s', 2, { signal: AbortSignal.abort() }), { code: 'E_ABORTED' });
});

const soon = { deadlineMs: 1, maxAge: 1 };

test('not later than: the exact version wins while it is in time', async (t) => {
  const box = new VersionedMailbox<string>();
  void box.put('s', 4, 'four');
  const read = box.takeNotLater('s', 5, { deadlineMs: 60_000, maxAge: 1 });
  void box.put('s', 5, 'five');
  t.deepEqual(await read, { version: 5, value: 'five' });
  t.is(box.counts.late, 0);
});

test('not later than: after the deadline the newest that is young enough will do', async (t) => {
  const box = new VersionedMailbox<string>();
  for (const version of [2, 3, 4]) void box.put('s', version, `v${version}`);
  t.deepEqual(await box.takeNotLater('s', 5, soon), { version: 4, value: 'v4' });
  t.deepEqual(box.counts, { dropped: 2, late: 1 });
});

test('not later than: the version read last may be read once more', async (t) => {
  const box = new VersionedMailbox<string>();
  void box.put('s', 4, 'four');
  await box.take('s', 4);
  t.deepEqual(await box.takeNotLater('s', 5, soon), { version: 4, value: 'four' });
  t.is(box.counts.late, 1);
});

test('not later than: what is too old is not taken, and the wait goes on', async (t) => {
  const box = new VersionedMailbox<string>();
  void box.put('s', 3, 'three');
  const read = box.takeNotLater('s', 5, soon);
  // A timer set later with the same delay fires later: the deadline has passed.
  await new Promise((resolve) => setTimeout(resolve, soon.deadlineMs));
  t.is(await stateOf(read), 'pending');
  void box.put('s', 5, 'five');
  t.deepEqual(await read, { version: 5, value: 'five' });
  const controller = new AbortController();
  const hopeless = box.takeNotLater('s', 9, { ...soon, signal: controller.signal });
  controller.abort();
  await t.throwsAsync(hopeless, { code: 'E_ABORTED' });
});

/** The mailbox as its words describe it: slow, and in one slot. */
class Model {
  readonly unread = new Map<number, number>();
  readonly outcome: unknown[] = [];
  readonly #readers: { readonly version: number; readonly at: number }[] = [];
  #read: { readonly version: number; readonly value: number } | undefined;
  #past = Number.NEGATIVE_INFINITY;

  put(version: number, value: number, keep: number): void {
    if (version <= this.#past) return;
    this.unread.set(version, value);
    if (this.#readers.some((reader) => reader.version === version)) this.#open(version);
    if (this.unread.size > keep) {
      this.#past = Math.min(...this.unread.keys());
      this.unread.delete(this.#past);
    }
    this.#settle();
  }

  take(version: number): void {
    const at = this.outcome.push('pending') - 1;
    this.#readers.push({ version, at });
    if (version !== this.#read?.version && version > this.#past && this.unread.has(version)) {
      this.#open(version);
    }
    this.#settle();
  }

  #open(version: number): void {
    this.#read = { version, value: this.unread.get(version)! };
    this.#past = version;
    for (const other of [...this.unread.keys()]) if (other <= version) this.unread.delete(other);
  }

  #settle(): void {
    for (const { version, at } of this.#readers) {
      if (this.outcome[at] !== 'pending') continue;
      if (version === this.#read?.version) this.outcome[at] = this.#read.value;
      else if (version <= this.#past) this.outcome[at] = 'E_VERSION_GONE';
    }
  }
}

test('any history of puts and takes ends as the description says', async (t) => {
  const history = fc.array(fc.record({ do: fc.constantFrom('put', 'take'), version: fc.nat(9) }), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 4 }), async (list, keep) => {
      const box = new VersionedMailbox<number>({ keep });
      const model = new Model();
      const reads: Promise<unknown>[] = [];
      for (const [value, { do: what, version }] of list.entries()) {
        if (what === 'put') {
          void box.put('s', version, value);
          model.put(version, value, keep);
        } else {
          reads.push(box.take('s', version).catch((error: ActorsError) => error.code));
          model.take(version);
        }
      }
      const outcome = await Promise.all(reads.map((read) => Promise.race([read, turn('pending')])));
      t.deepEqual(outcome, model.outcome);
    }),
    { numRuns: 500 },
  );
});
