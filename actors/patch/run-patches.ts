/** Runs all patches of a grid at once and merges their reports. */

import type { ActorHandle } from '../../runtime/index.js';
import type { StepReport } from './step-report.js';

export interface RunOptions {
  readonly signal?: AbortSignal;
}

/** A patch of any kind, as its coordinator sees it; it may report more than every patch does. */
export type AnyPatch<Report extends StepReport = StepReport> = ActorHandle<{
  run(first: number, end: number): AsyncGenerator<Report>;
}>;

/**
 * Reports as they come, of all patches. The first error stops all: a patch whose neighbour is gone would wait for ever.
 *
 * @param first The step to begin with, of all patches or of each.
 * @throws The first error of any patch.
 */
export async function* runPatches<Report extends StepReport = StepReport>(
  patches: readonly AnyPatch<Report>[],
  first: number | readonly number[],
  end: number,
  options: RunOptions = {},
): AsyncGenerator<Report> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const streams = patches.map((patch, index) => {
    const from = typeof first === 'number' ? first : first[index]!;
    return patch.with({ signal }).stream.run(from, end);
  });
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
    // Those whose last report nobody took are still open.
    await Promise.allSettled(streams.map((stream) => stream.return(undefined)));
  }
}

async function tagged<Result>(
  result: Promise<Result>,
  index: number,
): Promise<{ readonly index: number; readonly result: Result }> {
  return { index, result: await result };
}
