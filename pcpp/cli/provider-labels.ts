/** What a node can run, as a label that `patchbay start` gives it. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Gpu, Labels } from '../../runtime/index.js';

const trial = fileURLToPath(new URL('../onnx/provider-main.js', import.meta.url));
/** A driver may take long to wake up. */
const trialMs = 60_000;

/** The fastest execution provider that works on this machine. Drivers are tried in a process of their own. */
export async function providerLabels(gpus: readonly Gpu[]): Promise<Labels> {
  return { 'execution-provider': gpus.length === 0 ? 'cpu' : await tried() };
}

async function tried(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [trial], { timeout: trialMs });
    return stdout.trim();
  } catch {
    return 'cpu';
  }
}
