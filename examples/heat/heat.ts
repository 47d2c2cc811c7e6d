/** `node dist/examples/heat/heat.js [workers]`: a plate cools on several workers, exactly and with stale borders. */

import { startCluster } from '../../runtime/index.js';
import { largestDifference, simulateAlone, simulateOnCluster } from './simulate.js';

const workers = Number(process.argv[2] ?? 2);
const plate = { rows: 96, width: 96 };

await using local = await startCluster({ workers, resources: { cpu: 1 } });
console.log(`${plate.rows} x ${plate.width} plate on ${workers} workers, against one process`);
console.log('  age   steps   largest difference   border bytes per step');
for (const age of [0, 1]) {
  for (const steps of [100, 1000]) {
    const { cells, reports } = await simulateOnCluster(local.cluster, {
      ...plate,
      patches: workers,
      age,
      steps,
    });
    const difference = largestDifference(cells, simulateAlone(plate, steps));
    const bytes = reports.reduce((sum, { bytesOut }) => sum + bytesOut, 0) / steps;
    const row = [String(age).padStart(5), String(steps).padStart(7), difference.toExponential(2)];
    console.log(`${row.join(' ').padEnd(36)}${bytes}`);
  }
}
