/**
 * `node dist/examples/hyper-parameter-search.js [epochs]`: trials run as streaming tasks, as many at once as there are
 * processors. At some epochs a trial is stopped if it does worse than half of those that came so far; leaving its stream
 * cancels the task. Which trials are stopped depends on which came first.
 */

import { startCluster } from '../runtime/index.js';
import type { Settings } from './hyper-parameter-search-tasks.js';

const [epochs = 240] = process.argv.slice(2).map(Number);
const rungs = [1 / 16, 1 / 8, 1 / 4, 1 / 2].map((share) => Math.ceil(share * epochs));
const trials: readonly Settings[] = [0.003, 0.1, 0.0003, 0.03, 0.001, 0.01].flatMap(
  (learningRate) => [16, 4].map((hidden) => ({ learningRate, hidden })),
);

await using local = await startCluster();
const lib = await local.cluster.load<typeof import('./hyper-parameter-search-tasks.js')>(
  new URL('./hyper-parameter-search-tasks.js', import.meta.url),
);

interface Outcome extends Settings {
  readonly epoch: number;
  readonly loss: number;
  readonly stopped: boolean;
}
const reached = new Map<number, number[]>();

console.log('learning rate  hidden  epochs   loss');
const outcomes = await Promise.all(
  trials.map(async (settings) => {
    const outcome = await run(settings);
    const { learningRate, hidden, epoch, loss, stopped } = outcome;
    const cells = [String(learningRate).padStart(13), String(hidden).padStart(7)];
    console.log(
      `${[...cells, String(epoch).padStart(7)].join(' ')}  ${loss.toFixed(4)}${stopped ? '  stopped' : ''}`,
    );
    return outcome;
  }),
);
const spent = outcomes.reduce((sum, { epoch }) => sum + epoch, 0);
const whole = trials.length * epochs;
const best = outcomes.filter(({ stopped }) => !stopped).sort((a, b) => a.loss - b.loss)[0]!;
console.log(
  `best: learning rate ${best.learningRate}, ${best.hidden} hidden units, loss ${best.loss.toFixed(4)}`,
);
console.log(`${spent} of ${whole} epochs were waited for (${Math.round((100 * spent) / whole)} %)`);

async function run(settings: Settings): Promise<Outcome> {
  let last = { epoch: 0, loss: Number.POSITIVE_INFINITY };
  for await (const { epoch, loss } of lib.train.stream(settings, epochs)) {
    last = { epoch, loss };
    if (rungs.includes(epoch) && isBehind(epoch, loss)) {
      return { ...settings, ...last, stopped: true };
    }
  }
  return { ...settings, ...last, stopped: false };
}

/** Worse than half of those that reached this epoch before. */
function isBehind(epoch: number, loss: number): boolean {
  const others = reached.get(epoch) ?? [];
  reached.set(epoch, [...others, loss]);
  const better = others.filter((other) => other < loss).length;
  return better > others.length / 2;
}
