/** Reading what jobs print. */

import type { Cluster } from '../../runtime/index.js';

/** All of it, once the job has ended. */
export async function printedBy(cluster: Cluster, id: string): Promise<string> {
  let all = '';
  for await (const { text } of cluster.jobs.logs(id, { follow: true })) all += `${text}\n`;
  return all;
}

/** The first line that matches, as soon as it is there. */
export async function lineOf(
  cluster: Cluster,
  id: string,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  for await (const { text } of cluster.jobs.logs(id, { follow: true })) {
    const match = pattern.exec(text);
    if (match) return match;
  }
  throw new Error(`${id} ended without printing ${pattern}`);
}
