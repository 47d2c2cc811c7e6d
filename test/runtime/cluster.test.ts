import test from 'ava';
import { startCluster } from '../../runtime/index.js';

const actors = new URL('../fixtures/actors/counter.js', import.meta.url);
type Actors = typeof import('../fixtures/actors/counter.js');

test('an actor is created, called, told, streamed and killed', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 2 } });
  const { cluster } = local;
  const lib = await cluster.load<Actors>(actors);
  for (const Class of [lib.Counter, lib.ThreadCounter]) {
    const counter = await Class.create({ args: [10] });
    t.is(await counter.add(2), 12);
    counter.tell.add(3);
    t.is(await counter.value(), 15);
    t.is(await counter.sum(Float32Array.of(1, 2, 3.5)), 6.5);
    const items: number[] = [];
    for await (const n of counter.stream.countTo(200)) items.push(n);
    t.is(items.length, 200);
    const error = await t.throwsAsync(counter.fail('no'));
    t.like(error, { message: 'no', code: 'E_MINE' });
    t.is((error.cause as Error).message, 'the reason');
    await t.throwsAsync(counter.die(7), {
      code: 'E_ACTOR_DEAD',
      message: /exit code 7[\s\S]*about to die/,
    });
  }
});
