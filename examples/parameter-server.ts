/** `node dist/examples/parameter-server.js [workers] [rounds]`: one actor holds the weights, workers send it gradients. */

import { ActorGroup } from '../actors/index.js';
import { startCluster } from '../runtime/index.js';
import { truth } from './parameter-server-actors.js';

const [workers = 4, rounds = 100] = process.argv.slice(2).map(Number);

await using local = await startCluster({ resources: { cpu: workers } });
const lib = await local.cluster.load<typeof import('./parameter-server-actors.js')>(
  new URL('./parameter-server-actors.js', import.meta.url),
);
await using server = await lib.ParameterServer.create({ args: [0.5] });
await using group = await ActorGroup.create(local.cluster, lib.GradientWorker, {
  size: workers,
  strategy: 'spread',
  argsOf: (rank) => [rank, 500],
});

console.log(`${workers} workers of 500 samples each, ${rounds} rounds`);
console.log(' round   loss');
let weights = await server.weights();
for (let round = 0; round <= rounds; round++) {
  const slopes = await group.gather('slope', weights);
  if (round % Math.ceil(rounds / 5) === 0) {
    const loss = slopes.reduce((sum, slope) => sum + slope.loss, 0) / workers;
    console.log(`${String(round).padStart(6)}   ${loss.toPrecision(4)}`);
  }
  weights = await server.apply(slopes.map(({ gradient }) => gradient));
}
const off = Math.max(...weights.map((weight, n) => Math.abs(weight - truth[n]!)));
console.log(`largest error of a weight: ${off.toFixed(4)}; the noise leaves a loss of 0.0033`);
