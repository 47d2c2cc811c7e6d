/** Runs all patches of a grid at once and merges their reports. */

import type { ActorHandle } from '../../runtime/index.js';
import type { PatchActor, StepReport } from './patch-actor.js';

export interface RunOptions {
  readonly signal?: AbortSignal;
}

/** A patch of any kind, as its coordinator sees it. */
export type AnyPatch = ActorHandle<Pick<PatchActor<ArrayBufferView>, 'run'>>;

/**
 * Reports as they come, of all patches. The first error stops all: a patch whose neighbour is gone would wait for ever.
 *
 * @throws The first error of any patch.
 */
export async function* runPatches(
  patches: readonly AnyPatch[],
  first: number,
  end: number,
  options: RunOptions = {},
): AsyncGenerator<StepReport> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const streams = patches.map((patch) => patch.with({ signal }).stream.run(first, end));
  const next = streams.map((stream, index) => tagged(stream.next(), index));
  const open = new Set(next.keys());
  try {
    while (open.size > 0) {
      const { index, result } = await Promise.race([...open].map((at) => next[at]!));
      if (result.done) {
        open.delete(index);
      } else {
        next[index] = tagged(streams[index]!.next(), index);
        yield result.value;
      }
    }
  } finally {
    stop.abort();
    await Promise.allSettled(next);
  }
}

async function tagged<Result>(
  result: Promise<Result>,
  index: number,
): Promise<{ readonly index: number; readonly result: Result }> {
  return { index, result: await result };
}
