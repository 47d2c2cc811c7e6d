/** `node dist/examples/job.js [tasks] [points]`: programs that the cluster runs for whoever submits them. */

import { type Cluster, startCluster } from '../runtime/index.js';

const [tasks = 8, points = 500_000] = process.argv.slice(2).map(Number);

/** What a job prints, until it has ended, and how it did. */
async function follow(cluster: Cluster, id: string): Promise<void> {
  for await (const { text } of cluster.jobs.logs(id, { follow: true })) console.log(`  ${text}`);
  const { phase, note, result } = await cluster.jobs.wait(id);
  console.log(`${id} ${phase}`, note ?? result ?? '');
}

await using local = await startCluster({ logToDriver: false });
const { cluster } = local;

const estimate = await cluster.jobs.submit({
  id: 'pi',
  module: new URL('./job-pi.js', import.meta.url),
  export: 'estimatePi',
  args: [tasks, points],
});
await follow(cluster, estimate);

// Any program will do. It finds the cluster by PATCHBAY_ADDRESS and PATCHBAY_TOKEN.
const report = await cluster.jobs.submit({
  id: 'report',
  command: 'echo "job $PATCHBAY_JOB counts $WHAT"; exit 3',
  env: { WHAT: 'darts' },
  resources: { cpu: 1 },
});
await follow(cluster, report);
