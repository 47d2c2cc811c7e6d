/** Which GPUs this machine has, as nvidia-smi tells it. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Gpu } from '../wire/messages.js';

const query = ['--query-gpu=index,uuid,name,memory.total', '--format=csv,noheader,nounits'];

/** None where nvidia-smi is missing or fails. */
export async function detectGpus(): Promise<readonly Gpu[]> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 10_000 });
    return parseGpus(stdout);
  } catch {
    return [];
  }
}

export const parseGpus = (csv: string): readonly Gpu[] =>
  csv
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()))
    .filter((fields) => fields.length === 4)
    .map(([index, uuid, name, memory]) => ({
      index: Number(index),
      uuid: uuid!,
      name: name!,
      memoryMb: Number(memory),
    }));

/** GPUs that somebody says are there, without a driver to ask. Their index stands for the uuid. */
export const declaredGpus = (count: number): readonly Gpu[] =>
  Array.from({ length: count }, (_, index) => ({
    index,
    uuid: String(index),
    name: 'declared',
    memoryMb: 0,
  }));
